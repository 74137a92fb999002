"""Ages in texts. A machine that is busy lets a second pass between a row and the text about it."""

import re


def in_tens(text: str) -> str:
    """Return the text with each age in seconds (``103 s``, ``103.2 s``) rounded down to tens."""
    return re.sub(r"\b(\d+)(\.\d+)? s\b", lambda found: f"{int(found[1]) // 10 * 10} s", text)
