"""The key that signs sessions and links: without one that nobody can guess, nothing starts."""

from pathlib import Path

from django.core.checks.security.base import (
    SECRET_KEY_INSECURE_PREFIX,
    SECRET_KEY_MIN_LENGTH,
    SECRET_KEY_MIN_UNIQUE_CHARACTERS,
)
from django.core.exceptions import ImproperlyConfigured

from core.stack.secret_file import kept_secret

FILE = "secret_key"
WANTED = (
    "Set SECRET_KEY to a long random string, such as "
    "`python -c 'import secrets; print(secrets.token_urlsafe(48))'` prints"
)


def secret_key(given: str, var_dir: Path, debug: bool) -> str:
    """Return the key that is given, or the one that ``make run`` keeps in the data folder.

    Where there is neither, debugging alone has one made up. Raises ImproperlyConfigured.
    """
    key = given or kept(var_dir, debug)
    if not debug and (fault := weakness(key)):
        raise ImproperlyConfigured(f"SECRET_KEY {fault}. {WANTED}.")
    return key


def kept(var_dir: Path, may_make_up: bool) -> str:
    """Return the key in the data folder. Raises ImproperlyConfigured if there is none."""
    try:
        if may_make_up:
            var_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        elif not (var_dir / FILE).exists():
            raise ImproperlyConfigured(
                f"SECRET_KEY is empty, and none is kept in {var_dir}. {WANTED}, "
                "or start `make run` once, which makes one up and keeps it."
            )
        return kept_secret(var_dir / FILE)
    except OSError as error:
        raise ImproperlyConfigured(
            f"SECRET_KEY is empty, and none can be kept in {var_dir} ({error.strerror}). {WANTED}, "
            "or VAR_DIR to another folder."
        ) from error


def weakness(key: str) -> str:
    """Return what makes it a key that can be guessed, or "" if nothing does."""
    if key.startswith(SECRET_KEY_INSECURE_PREFIX):
        return f"begins with {SECRET_KEY_INSECURE_PREFIX!r}: it is the one of an example"
    if len(key) < SECRET_KEY_MIN_LENGTH:
        return f"has {len(key)} characters, and at least {SECRET_KEY_MIN_LENGTH} are needed"
    if len({*key}) < SECRET_KEY_MIN_UNIQUE_CHARACTERS:
        return "is a few characters again and again"
    return ""
