"""Text as a terminal can show it: no character of it gives the terminal an order."""

KEPT = "\n\t"


def escape_controls(text: str) -> str:
    """Return the text with Python's escapes for what can't be shown, lines and tabs apart.

    That is a terminal's escape sequences, what turns the direction of writing, half characters.
    """
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each in KEPT else ascii(each)[1:-1] for each in text
    )


def make_printable(text: str) -> str:
    """Return the text as one line, with Python's escapes for characters that can't be shown."""
    return escape_controls(" ".join(text.split()))
