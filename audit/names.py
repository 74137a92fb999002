"""Names that tell of a secret: names of fields, and keys in JSON and in texts."""

import re
import unicodedata
from functools import cache, lru_cache
from typing import Any

from django.conf import settings

LONG = ("password", "passwd", "passphrase", "passcode", "secret", "token", "credential", "cookie")
KEYS = ("apikey", "accesskey", "privatekey", "signingkey", "encryptionkey", "sessionkey")
CODES = ("authorization", "sessionid", "recoverycode", "backupcode")
SHORT = ("pass", "pwd", "pin", "otp", "cvv", "cvc", "ssn", "jwt")
NAMES = (*LONG, *KEYS, *CODES, *SHORT)
"""Names of secrets. One of at most four letters has to be a word of a name, others a part."""

WORD_LENGTH = 4
WORD_BEGINS = re.compile(r"(?<=[a-z\d])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
LETTERS = re.compile(r"[^\W\d_]+")


def is_sensitive(name: str) -> bool:
    """Return whether a value of this name is secret: ``stripe_secret_key``, ``accessToken``."""
    if len(name) > 100:  # a text can have any, which the cache shall not keep
        return _is_sensitive.__wrapped__(name, added_names())
    return _is_sensitive(name, added_names())


# A text can have thousands of names, most of them several times.
@lru_cache(maxsize=4096)
def _is_sensitive(name: str, added: tuple[str, ...]) -> bool:
    parts, whole = _told_by(added)
    words = words_of(name)
    return parts.search("".join(words)) is not None or not whole.isdisjoint(words)


@cache
def _told_by(added: tuple[str, ...]) -> tuple[re.Pattern[str], frozenset[str]]:
    """Return a pattern of the names that can be a part, and the names that have to be a word."""
    names = {*NAMES, *map(_joined, added)}
    whole = frozenset(name for name in names if len(name) <= WORD_LENGTH)
    return re.compile("|".join(map(re.escape, names - whole))), whole


def words_of(name: str) -> list[str]:
    """Return the words of a name in lower case: ``userPIN`` and ``user-pin`` have ``pin``."""
    plain = name if name.isascii() else unicodedata.normalize("NFKC", name)
    return LETTERS.findall(WORD_BEGINS.sub(" ", plain).casefold())


def added_names() -> tuple[str, ...]:
    """Return the names that ``AUDIT_SENSITIVE_NAMES`` adds, or none if it has another shape."""
    added: Any = getattr(settings, "AUDIT_SENSITIVE_NAMES", None)
    return tuple(added) if added and is_well_formed(added) else ()


def is_well_formed(added: Any) -> bool:
    """Return whether the setting is None, or a list of names that have letters."""
    if added is None:
        return True
    is_list = isinstance(added, list | tuple | set | frozenset)
    return is_list and all(isinstance(each, str) and _joined(each) for each in added)


def _joined(name: str) -> str:
    return "".join(words_of(name))
