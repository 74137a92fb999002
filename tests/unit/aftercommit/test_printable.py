"""Text that somebody else wrote, on its way to a terminal."""

import pytest

from aftercommit.printable import escape_controls, make_printable

ORDERS = {
    "clear the screen": ("a\x1b[2Jb", r"a\x1b[2Jb"),
    "the same in one byte": ("a\x9b2Jb", r"a\x9b2Jb"),
    "a title for the window": ("\x1b]0;owned\x07", r"\x1b]0;owned\x07"),
    "write over the line": ("paid\rfree", r"paid\rfree"),
    "take back": ("ab\x08\x7f", r"ab\x08\x7f"),
    "turn the direction of writing": ("a\u202egpj.exe", r"a\u202egpj.exe"),
    "NUL": ("\0", r"\x00"),
    "half a character": ("\ud83d", r"\ud83d"),
    "a line for some terminals": ("a\u2028b\x85c", r"a\u2028b\x85c"),
}


@pytest.mark.parametrize(("text", "shown"), ORDERS.values(), ids=ORDERS)
def test_orders_are_escaped(text: str, shown: str) -> None:
    """As Python writes them, so that one sees what was there."""
    assert escape_controls(text) == shown


def test_text_stays() -> None:
    """Letters of any language, lines and tabs."""
    text = "“Déjà vu”\n\t日本語 🎉 עברית"
    assert escape_controls(text) == text


def test_one_line() -> None:
    """Whatever breaks a line is a space."""
    assert make_printable(" a\nb\r\n\x85c\x1b\t") == r"a b c\x1b"
