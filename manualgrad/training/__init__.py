"""The training tool: the parts that train.py combines."""
