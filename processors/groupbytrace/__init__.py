"""Processor `groupbytrace`: the spans of a trace together, in one batch."""
