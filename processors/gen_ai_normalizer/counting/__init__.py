"""How tokens are counted, and that each call counts once."""
