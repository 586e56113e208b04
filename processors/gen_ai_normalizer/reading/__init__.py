"""Values out of what a record carries: attributes, JSON text, Python's text, events and bodies."""
