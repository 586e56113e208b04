"""The command `penstock dead-letter`."""
