"""Training of the model of processor `adversarial`: `python -m training.adversarial DATA`."""
