"""Write errors as texts that any database, file and terminal can hold."""

import traceback

from aftercommit.printable import make_printable
from aftercommit.url_passwords import hide_url_passwords

TEXT_CHARACTERS = 20_000
"""The length of an error at most, in a row and in the log."""

ENTRY_CHARACTERS = 5_000
"""The length of one entry of a traceback at most: a frame, or the error's own text."""

LINE_CHARACTERS = 500
"""The length of an error at most, in a line of the log."""


def format_error(error: BaseException) -> str:
    """Return the error's traceback as any database can store it, without passwords of URLs.

    Long ones lose their middle.
    """
    entries = map(hide_url_passwords, traceback.format_exception(error))
    return make_storable(shorten("".join(shorten(each, ENTRY_CHARACTERS) for each in entries)))


def shorten(text: str, characters: int = TEXT_CHARACTERS) -> str:
    """Return the text, without its middle if it has more than ``characters``."""
    if len(text) <= characters:
        return text
    end = characters // 2
    left_out = len(text) - 2 * end
    return f"{text[:end]}\n[{left_out} characters left out]\n{text[-end:]}"


def make_storable(text: str) -> str:
    """Escape NUL and half surrogate pairs, which PostgreSQL can't store; return the text."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")


def summarize_error(error: BaseException) -> str:
    """Return the error's class and text in one printable line, without passwords of URLs.

    Never raises.
    """
    name = type(error).__name__
    try:
        text = shorten(hide_url_passwords(str(error)), LINE_CHARACTERS)
    except Exception as failure:  # noqa: BLE001  # Any class can have a __str__ that raises.
        text = f"its text can't be made, for {type(failure).__name__}"
    return make_printable(f"{name}: {text}" if text else name)
