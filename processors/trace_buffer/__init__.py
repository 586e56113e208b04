"""Traces that wait: what processors that hold spans by trace share."""
