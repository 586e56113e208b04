"""`penstock explain-sampling`: what a configuration keeps of recorded traces, and how true the rest of the story is."""
