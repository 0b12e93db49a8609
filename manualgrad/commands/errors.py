"""What the commands raise."""

__all__ = ["BadInput"]


class BadInput(Exception):
    """What is wrong with the command's arguments, in a sentence: exit code 2."""
