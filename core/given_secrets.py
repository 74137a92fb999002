"""Secrets from outside: in a variable of the environment, or in a file that a variable names.

``REDIS_PASSWORD_FILE=/run/secrets/redis_password`` stands for ``REDIS_PASSWORD`` with the text of
that file. A container then has no secret in its environment, which each of its processes inherits.
"""

import stat
from collections.abc import Mapping
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

MOUNTED = Path("/run/secrets")
"""The folder in which containers find their secrets. The modes there are the engine's."""


def given_secret(environ: Mapping[str, str], name: str) -> str:
    """Return the secret in the variable, or in the file that ``NAME_FILE`` names, or "".

    Line breaks at the end of the file are no part of the secret. Raises ImproperlyConfigured.
    """
    file = environ.get(f"{name}_FILE", "")
    if file and environ.get(name):
        raise ImproperlyConfigured(f"{name} and {name}_FILE are both set. Set one of them.")
    return _read(f"{name}_FILE", Path(file)) if file else environ.get(name, "")


def _read(variable: str, path: Path) -> str:
    try:
        text = path.read_text().rstrip("\r\n")
        is_open = bool(path.stat().st_mode & stat.S_IRWXO)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise ImproperlyConfigured(f"{variable}={path} can't be read ({why}).") from None
    if not text:
        raise ImproperlyConfigured(f"{variable}={path} is empty. Write the secret into it.")
    if is_open and not path.resolve().is_relative_to(MOUNTED):
        raise ImproperlyConfigured(
            f"{variable}={path} is open to every user of this machine. Run: chmod 600 {path}"
        )
    return text
