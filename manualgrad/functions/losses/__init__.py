"""Losses: the cost of a network's outputs, compared with the desired ones."""
