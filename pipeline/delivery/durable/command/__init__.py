"""The command `penstock queue`."""
