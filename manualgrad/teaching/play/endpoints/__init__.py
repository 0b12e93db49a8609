"""What the page asks for, one file a subject: the requests' fields, and what is computed for them."""
