"""The exception that the commands raise."""

__all__ = ["BadInput"]


class BadInput(Exception):
    """The arguments of a command are invalid; the message is one sentence, and the exit code is 2."""
