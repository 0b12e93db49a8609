"""`manualgrad play`: an interactive page about backpropagation, and its server.

The page (`page/`) only draws; the server computes every number on it with manualgrad. A request passes `guards`, finds its
tab's network in `tabs`, and is answered by one of the `endpoints`, one for each topic of the lesson.
"""
