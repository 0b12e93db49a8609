"""What a network's outputs cost, against what was desired."""
