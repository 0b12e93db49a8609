"""The training tool: all that train.py puts together."""
