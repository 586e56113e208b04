"""`penstock --workers N`: a parent that starts, watches and sums up processes which share the ports."""
