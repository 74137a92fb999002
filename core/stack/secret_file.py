"""Secrets that are made up once and kept in the data folder, readable by its owner only."""

import os
import secrets
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile


def kept_secret(path: Path, size: int = 48) -> str:
    """Return the secret in the file. The first call makes it up, from ``size`` random bytes.

    Processes that call it at the same time get the same secret.
    """
    if not path.exists():
        _make_up(path, size)
    return path.read_text().strip()


def _make_up(path: Path, size: int) -> None:
    # Link the file once it is complete, so that no process finds half a secret.
    with NamedTemporaryFile("w", dir=path.parent, prefix=f"{path.name}.") as file:  # mode 0600
        file.write(secrets.token_urlsafe(size))
        file.flush()
        with suppress(FileExistsError):
            os.link(file.name, path)
