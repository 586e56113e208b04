"""Processor `redaction`: takes personal data and secrets out of telemetry before it leaves."""
