"""What dialects and conventions say: the form of the rules, the tables of words."""
