"""Numbers about windows of text: hashed n-grams, concepts, shape."""
