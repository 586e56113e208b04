"""From rules to what is done with a record, compiled once for each shape."""
