"""`penstock inspect`."""
