"""How the lesson writes a number: on its screens and in its pictures alike."""

__all__ = ["number"]


def number(value: float) -> str:
    """With its sign and four digits: +0.1234, −1.234e-05."""
    text = f"{value + 0.0:+#.4g}"  # −0.0 + 0.0 is 0.0
    return "−" + text[1:] if text.startswith("-") else text
