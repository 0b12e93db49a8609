"""The pictures of a run, and the style of every picture."""
