"""What samplers share: randomness, thresholds and their place in `tracestate`."""
