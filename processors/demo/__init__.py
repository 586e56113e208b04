"""The first ten minutes: the quickstart collector, fed with recorded LLM telemetry, one row per call."""
