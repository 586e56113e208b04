"""What a text says once nothing hides it: views of it, and signs of hiding."""
