"""Secrets that are made up once and kept in the data folder, readable by its owner only."""

import os
import secrets
from pathlib import Path


def kept_secret(path: Path, size: int = 48) -> str:
    """The secret in the file; made up, from so many random bytes, and stored at the first call."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(size))
    return path.read_text()
