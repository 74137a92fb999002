"""The words by which a person is found in texts, and what is put in their place."""

from typing import Any

import pytest

from core.forgetting.person import DELETED, Person, is_actor

WIL = Person(7, "wil", frozenset({"wil@example.com", "w.x+y@example.org"}))


@pytest.mark.parametrize(
    "text",
    [
        "wil", "Comment by wil on Ada", "WIL's profile", "(wil)", '"wil"', "to <wil@example.com>",
        "Wil@Example.com:", "w.x+y@example.org.", "/author/wil/",
    ],
)  # fmt: skip
def test_in(text: str) -> None:
    """The name is found as a word and an address as a whole, in any case."""
    assert WIL.is_in(text)


@pytest.mark.parametrize(
    "text",
    [None, "", "will", "wil2", "wil@example.org", "bob-wil", "xwil@example.com", "y@example.org"],
)
def test_not_in(text: str | None) -> None:
    """Part of another word or of another's address is not theirs."""
    assert not WIL.is_in(text)


def test_redact() -> None:
    """An address goes from any text. Keys, numbers and words that happen to be the name stay."""
    data: Any = {"wil": ["to WIL@example.com", 7, None], "who": "wil", "text": "by wil"}
    assert WIL.redact(data) == {"wil": [f"to {DELETED}", 7, None], "who": "wil", "text": "by wil"}
    assert WIL.redact(data, name=True)["who"] == DELETED


def test_without_address() -> None:
    """A person without an address has a name."""
    person = Person(7, "a+b", frozenset())
    assert person.redact("to c@example.com") == "to c@example.com"
    assert person.is_in("by a+b")
    assert not person.is_in("aab")


@pytest.mark.parametrize(
    ("actor_id", "actor", "theirs"),
    [
        ("7", "wil", True),
        (7, "former", True),
        ("", "wil", True),
        ("8", "wil", False),
        ("", "", False),
    ],
)
def test_actor(actor_id: Any, actor: str, theirs: bool) -> None:
    """The id says who it was. Without one the name does."""
    assert is_actor(WIL, actor_id, actor) == theirs
