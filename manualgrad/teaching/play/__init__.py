"""`manualgrad play`: a page on which backpropagation can be drawn, touched and followed, and the server behind it.

The page (`page/`) draws; every number on it comes from here, and is computed by manualgrad. A request passes `guards`, finds
its tab's network in `tabs`, and is answered by one of the `endpoints`, each of which is a subject of the lesson.
"""
