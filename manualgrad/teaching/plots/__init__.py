"""The pictures of the lesson."""
