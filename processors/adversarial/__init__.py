"""Processor `adversarial`: scores text for attempts to take control of a model."""
