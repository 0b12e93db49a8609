"""Endpoints of the page, one module per topic: the fields of the requests, and the answers."""
