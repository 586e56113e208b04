"""`penstock redact`."""
