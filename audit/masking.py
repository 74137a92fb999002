"""Masks what is secret in a value, before the value leaves the request."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .names import is_sensitive

MASK = "********"
SHORT = 4
"""A shorter secret is only masked where it is a word of its own. It could be part of any word."""

SUSPICIOUS = re.compile(r"://|=|[\[{\"']|PRIVATE KEY|(?i:bearer|basic) |(?i:tion|kie|key|ken|ret):")
"""What a text has that one of the following can find something in. Most texts have none of it."""

URL_PASSWORD = re.compile(r"(?<=://)([^\s/:@]*):([^\s/]+)@")
STRING = r"""[bBuUrRfF]{0,2}(?:"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?)"""
"""A text in quotation marks. The second one is missing where a text was cut off."""

ASSIGNED = re.compile(rf"""(?<![\w.-])([\w.-]+)( ?= ?)(?!=)({STRING}|[^\s&;,'"]+)""", re.DOTALL)
QUOTED = re.compile(rf"""(["'])([\w .-]+)\1(\s*:\s*)({STRING}|[^\s,}}\]"']+)""", re.DOTALL)
HEADER = re.compile(
    r"(?<![\w-])((?:\w+-)*authorization|(?:\w+-)+(?:cookie|key|secret|token)): *[^\r\n]+",
    re.IGNORECASE,
)
CREDENTIALS = re.compile(r"\b(bearer|basic) +[\w+/.~=-]{16,}", re.IGNORECASE)
PRIVATE_KEY = re.compile(r"(-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(?:-----END|\Z)", re.DOTALL)
LISTS = (list, tuple, set, frozenset)
NAMING = ("name", "key")
"""Keys whose value can be the name of a secret. The secret is the ``value`` beside it."""


def mask_text(text: str) -> str:
    """Return the text with its secrets masked.

    Secret are the passwords of URLs, what follows ``password=``, what sensitive keys of JSON hold
    at any depth, credentials and keys in HTTP's headers, and private keys. JSON that is nested too
    deeply to be looked at is masked as a whole.
    """
    if not SUSPICIOUS.search(text):
        return text
    if text[:1] in ("{", "[") and (masked := _masked_json(text)) is not None:
        return masked
    text = URL_PASSWORD.sub(rf"\1:{MASK}@", text)
    text = ASSIGNED.sub(_masked_pair, text)
    text = QUOTED.sub(_masked_quoted, text)
    text = HEADER.sub(rf"\1: {MASK}", text)
    text = CREDENTIALS.sub(rf"\1 {MASK}", text)
    return PRIVATE_KEY.sub(rf"\1{MASK}", text)


def hide(text: str, secrets: Iterable[str]) -> str:
    """Return the text with each of the secrets masked, in capitals or not.

    A secret of fewer than four characters is masked where it is a word.
    """
    known = {secret for secret in secrets if secret.strip()}
    for secret in sorted(known, key=len, reverse=True):
        pattern = re.escape(secret)
        if len(secret) < SHORT:
            pattern = rf"(?<!\w){pattern}(?!\w)"
        text = re.sub(pattern, MASK, text, flags=re.IGNORECASE)
    return text


def secrets_in(value: Any) -> Iterator[str]:
    """Yield the texts that sensitive keys of a JSON value hold."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from texts_in(each) if is_sensitive(str(key)) else secrets_in(each)
    elif isinstance(value, LISTS):
        for each in value:
            yield from secrets_in(each)


def texts_in(value: Any) -> Iterator[str]:
    """Yield each text and number of a value."""
    if isinstance(value, bytes | memoryview):
        yield bytes(value).decode(errors="replace")
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from texts_in(each)
    elif isinstance(value, LISTS):
        for each in value:
            yield from texts_in(each)
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def _mask(value: Any) -> Any:
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, Mapping):
        return _mask_items(value)
    if isinstance(value, LISTS):
        return [_mask(each) for each in value]
    return value


def _mask_items(items: Mapping[Any, Any]) -> dict[Any, Any]:
    # {"name": "password", "value": "…"}, as forms, headers and variables are listed.
    named = any(isinstance(items.get(key), str) and is_sensitive(items[key]) for key in NAMING)
    return {
        mask_text(key) if isinstance(key, str) else key: _mask_item(key, value, named)
        for key, value in items.items()
    }


def _mask_item(key: Any, value: Any, named: bool) -> Any:
    if isinstance(key, str) and (is_sensitive(key) or (named and key == "value")):
        return value if _tells_nothing(value) else MASK
    return _mask(value)


def _tells_nothing(value: Any) -> bool:
    return value is None or isinstance(value, bool) or value in ("", [], {})


def _masked_json(text: str) -> str | None:
    try:
        value = json.loads(text)
        masked = _mask(value)
    except ValueError:
        return None
    except RecursionError:
        return MASK
    return text if masked == value else json.dumps(masked, ensure_ascii=False)


def _masked_pair(match: re.Match[str]) -> str:
    name, sign, _ = match.groups()
    return f"{name}{sign}{MASK}" if is_sensitive(name) else match[0]


def _masked_quoted(match: re.Match[str]) -> str:
    quote, name, colon, value = match.groups()
    secret = is_sensitive(name) and value not in ("null", "true", "false", "None", '""')
    return f'{quote}{name}{quote}{colon}"{MASK}"' if secret else match[0]
