"""A plane in fewer numbers, one for each window of it."""
