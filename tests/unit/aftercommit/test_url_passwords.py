"""Passwords of URLs in any text."""

import pytest

from aftercommit.url_passwords import hide_url_passwords


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("redis://:hidden@host:6379/0", "redis://:**@host:6379/0"),
        ("amqps://user:hidden@host//", "amqps://user:**@host//"),
        ("db+postgresql://u:hidden@h/n", "db+postgresql://u:**@h/n"),
        ("redis://:hid%23den@host", "redis://:**@host"),
        # what breaks a URL is in a setting all the same, until somebody sees why nothing works
        ("redis://:hi#d/d@en@host/0", "redis://:**@host/0"),
        ("redis://:hid den@host/0", "redis://:**@host/0"),
        ("redis://:7hidden?@host", "redis://:**@host"),
        ("redis://:12345@host", "redis://:**@host"),
        ("redis://:hidden@[::1]:6379/0", "redis://:**@[::1]:6379/0"),
        ("a://:hidden@h:1;a://:hidden@h:2", "a://:**@h:1;a://:**@h:2"),
        ('{"a": "a://:hidden@h", "b": "c"}', '{"a": "a://:**@h", "b": "c"}'),
        (
            "Can't reach a://u:hidden@h.\nTry b://u:hidden@h",
            "Can't reach a://u:**@h.\nTry b://u:**@h",
        ),
        ("a://h/0?password=hidden&b=1", "a://h/0?password=**&b=1"),
        ("a://h/0?b=1&sslPassword=hidden#c", "a://h/0?b=1&sslPassword=**#c"),
        ("https://h/?access_token=hidden", "https://h/?access_token=**"),
    ],
)
def test_a_password_is_hidden(text: str, shown: str) -> None:
    """The rest of the text is as it was."""
    assert hide_url_passwords(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "redis://host:6379/0",
        "amqp://user@host//",
        "http://host:8000/authors/a@example.com",
        "http://host:8000 is the site, write to a@example.com",
        "http://[::1]:8000/ and a@example.com",
        "https://example.com/?page=2&order=name",
        "a@example.com: a password= without an address",
        "sqlite:///path:with@signs",
        "",
    ],
)
def test_other_texts_are_as_they_were(text: str) -> None:
    """A port is no password, and an address of a mail is no login."""
    assert hide_url_passwords(text) == text


def test_a_long_text_takes_no_long_time() -> None:
    """The time grows with the length, not with its square."""
    hide_url_passwords("a://b:" * 200_000)
    hide_url_passwords("://" + "a" * 1_000_000)
    hide_url_passwords("a://b:c" + "?a=" * 300_000)
