"""What is masked in a text, and what stays readable."""

import json
from typing import Any

import pytest

from audit.masking import MASK, hide, mask_text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgres://me:s3cret@db/x", f"postgres://me:{MASK}@db/x"),
        (
            "redis://:s3cret@h:1/0, amqp://a:s3cret@h//",
            f"redis://:{MASK}@h:1/0, amqp://a:{MASK}@h//",
        ),
        ("https://me:s3@cr:et@host/a@b", f"https://me:{MASK}@host/a@b"),
        (
            "https://host/?user=me&access_token=s3cret&x=1",
            f"https://host/?user=me&access_token={MASK}&x=1",
        ),
        ("host=db password=s3cret dbname=x", f"host=db password={MASK} dbname=x"),
        ("password = 's3 cret' user=me", f"password = {MASK} user=me"),
        ("Server=db;Pwd=s3cret;Uid=me", f"Server=db;Pwd={MASK};Uid=me"),
        ('API_KEY="s3cret"', f"API_KEY={MASK}"),
        (r'password="s3\"cret" x', f"password={MASK} x"),
        ("PASSWORD='s3cret, cut o", f"PASSWORD={MASK}"),
        ("password=b's3cret' x", f"password={MASK} x"),
        ("say {'password': b's3cret', 'n': 1}", f"say {{'password': \"{MASK}\", 'n': 1}}"),
        ('say {"password": "s3cret, cut o', f'say {{"password": "{MASK}"'),
        ("say Bearer s3cret-s3cret-s3cret", f"say Bearer {MASK}"),
        ("GET /\nAuthorization: Token s3cret\nHost: a", f"GET /\nAuthorization: {MASK}\nHost: a"),
        ("x-api-key: s3cret", f"x-api-key: {MASK}"),
        ("Set-Cookie: sessionid=s3cret; path=/", f"Set-Cookie: {MASK}"),
        ("say {'password': 's3cret', 'n': 1}", f"say {{'password': \"{MASK}\", 'n': 1}}"),
        ('[{"token": "s3cret", broken', f'[{{"token": "{MASK}", broken'),
        (
            "-----BEGIN RSA PRIVATE KEY-----\ns3cret\n-----END RSA PRIVATE KEY-----",
            f"-----BEGIN RSA PRIVATE KEY-----{MASK} RSA PRIVATE KEY-----",
        ),
        ("-----BEGIN PRIVATE KEY-----\ns3cret", f"-----BEGIN PRIVATE KEY-----{MASK}"),
    ],
)
def test_secret_in_a_text(text: str, expected: str) -> None:
    """The rest of the text stays."""
    assert mask_text(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "", "On Logs", "How to choose a password: make it long", "https://host/a:b@c",
        "ssh://git@host/x",
        "Key: a small one", "A cookie: how to bake one", "a = b",
        "if password == x:", '{"name": "Mara", "list": [1, 2.50]}', "[]", "{broken",
        "12:30", "2024-01-01T00:00:00+00:00", "basic instinct",
        '{"password": null, "has_token": true, "pin": ""}',
    ],
)  # fmt: skip
def test_no_secret(text: str) -> None:
    """A text without one is what it was, to the letter."""
    assert mask_text(text) == text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": [{"b": {"apiKey": "s3cret"}}]}, {"a": [{"b": {"apiKey": MASK}}]}),
        ({"secret": {"a": ["s3cret"]}}, {"secret": MASK}),
        ({"pin": 1234, "set": True}, {"pin": MASK, "set": True}),
        ({"url": "redis://:s3cret@h"}, {"url": f"redis://:{MASK}@h"}),
        ({"redis://:s3cret@h": 1}, {f"redis://:{MASK}@h": 1}),
        ([{"name": "API_TOKEN", "value": "s3cret"}], [{"name": "API_TOKEN", "value": MASK}]),
        ([{"name": "Mara", "value": "5"}], [{"name": "Mara", "value": "5"}]),
        ({"text": '{"token": "s3cret"}'}, {"text": f'{{"token": "{MASK}"}}'}),
    ],
)
def test_secret_in_json(value: Any, expected: Any) -> None:
    """At any depth, by its key, and in keys and texts."""
    assert json.loads(mask_text(json.dumps(value))) == expected


def test_json_too_deep_to_look_at() -> None:
    """It is masked as a whole, and nothing fails."""
    assert mask_text("[" * 100_000 + '{"token": "s3cret"}' + "]" * 100_000) == MASK
    deep = "[" * 500 + '{"token": "s3cret"}' + "]" * 500
    assert "s3cret" not in mask_text(deep)


@pytest.mark.parametrize(
    "part",
    [
        "a",
        "://",
        "://a:",
        "a=",
        '"a":',
        "bearer ",
        "-----BEGIN PRIVATE KEY-----",
        "a.",
        "'",
        '"\\\\',
        "a-",
        "cookie: ",
        "a=b'\\\\",
    ],
)
def test_long_text(part: str) -> None:
    """A text that could be one takes a moment, and not its length times its length."""
    assert mask_text(part * 20_000)


@pytest.mark.parametrize(
    ("text", "secrets", "expected"),
    [
        ("key s3cret of Mara", ["s3cret"], f"key {MASK} of Mara"),
        ("KEY S3CRET", ["s3cret"], f"KEY {MASK}"),
        ("xs3cretx", ["s3cret"], f"x{MASK}x"),
        ("s3cret-long", ["s3cret", "s3cret-long"], MASK),
        ("a banana", ["a"], f"{MASK} banana"),
        ("PIN 42 of 1942", ["42"], f"PIN {MASK} of 1942"),
        ("Mara", ["", " ", "x"], "Mara"),
        ("a.b", ["a+b", "..."], "a.b"),
    ],
)
def test_hide(text: str, secrets: list[str], expected: str) -> None:
    """A secret of three letters or fewer is hidden only where it is a word."""
    assert hide(text, secrets) == expected
