"""Names that tell of a secret: names of fields, and keys in JSON and in texts."""

import re
import unicodedata
from collections.abc import Iterable
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
    words = words_of(name)
    joined = "".join(words)
    return any(each in (joined if len(each) > WORD_LENGTH else words) for each in sensitive_names())


def words_of(name: str) -> list[str]:
    """Return the words of a name in lower case: ``userPIN`` and ``user-pin`` have ``pin``."""
    plain = unicodedata.normalize("NFKC", name)
    return LETTERS.findall(WORD_BEGINS.sub(" ", plain).casefold())


def sensitive_names() -> Iterable[str]:
    """Return the names of secrets, with those that ``AUDIT_SENSITIVE_NAMES`` adds."""
    added: Any = getattr(settings, "AUDIT_SENSITIVE_NAMES", None)
    return [*NAMES, *map(_joined, added)] if is_well_formed(added) and added else NAMES


def is_well_formed(added: Any) -> bool:
    """Return whether the setting is None, or a list of names that have letters."""
    if added is None:
        return True
    is_list = isinstance(added, list | tuple | set | frozenset)
    return is_list and all(isinstance(each, str) and _joined(each) for each in added)


def _joined(name: str) -> str:
    return "".join(words_of(name))
