"""The durable queue: what is admitted is on disk until the backend has it."""
