"""Number format of the lesson, on screen and in pictures."""

__all__ = ["number"]


def number(value: float) -> str:
    """Format a number with its sign and four significant digits: +0.1234, −1.234e-05."""
    text = f"{value + 0.0:+#.4g}"  # −0.0 + 0.0 is 0.0
    return "−" + text[1:] if text.startswith("-") else text
