"""Secrets from outside: in a variable of the environment, or in a file that a variable names.

``REDIS_PASSWORD_FILE=/run/secrets/redis_password`` stands for ``REDIS_PASSWORD`` with the text of
that file. A container then has no secret in its environment, which each of its processes inherits.
"""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

MOUNTED = Path("/run/secrets")
"""The folder in which containers find their secrets. The modes there are the engine's."""

LARGEST = 16 * 1024
"""The bytes at most of a file with a secret. Any longer file is another one."""


def given_secret(environ: Mapping[str, str], name: str) -> str:
    """Return the secret in the variable, or in the file that ``NAME_FILE`` names, or "".

    Line breaks at the end of the file are no part of the secret, and neither is the mark that some
    editors put at its beginning. Raises ImproperlyConfigured.
    """
    file = environ.get(f"{name}_FILE", "")
    if file and environ.get(name):
        raise ImproperlyConfigured(f"{name} and {name}_FILE are both set. Set one of them.")
    return _read(f"{name}_FILE", Path(file)) if file else environ.get(name, "")


def _read(variable: str, path: Path) -> str:
    try:
        content, mode = _content_and_mode(path)
        text = content.decode("utf-8-sig").rstrip("\r\n")
    except OSError as error:
        raise ImproperlyConfigured(f"{variable}={path} can't be read ({error.strerror}).") from None
    except UnicodeDecodeError:
        raise ImproperlyConfigured(f"{variable}={path} is not text in UTF-8.") from None
    if fault := _fault(content, text, mode):
        raise ImproperlyConfigured(f"{variable}={path} {fault}")
    if mode & stat.S_IRWXO and not path.resolve().is_relative_to(MOUNTED):
        raise ImproperlyConfigured(
            f"{variable}={path} is open to every user of this machine. Run: chmod 600 {path}"
        )
    return text


def _content_and_mode(path: Path) -> tuple[bytes, int]:
    """Return the beginning of the file, and its mode. Nothing is read of what is no file.

    A pipe is opened without waiting for whoever is to write into it.
    """
    with open(path, "rb", opener=_open_at_once) as file:
        mode = os.fstat(file.fileno()).st_mode
        return file.read(LARGEST + 1) if stat.S_ISREG(mode) else b"", mode


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def _fault(content: bytes, text: str, mode: int) -> str:
    """Return why the text can't be a secret, or ""."""
    if not stat.S_ISREG(mode):
        return "is not a file. Processes that start later would find nothing in it."
    if len(content) > LARGEST:
        return f"has more than {LARGEST} bytes. Write the secret alone into it."
    if not text:
        return "is empty. Write the secret into it."
    return "has a NUL, which no secret can have." if "\0" in text else ""
