"""The data folder is its owner's alone: mails, sessions, keys and passwords are in it."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

UMASK = 0o077
"""What a process must not let others do with a file that it makes."""

OURS = (
    *("db.sqlite3*", "secret_key", "*_password", "redis.conf", "stack.lock"),
    *("celerybeat-schedule*", "mail", "media"),
)
"""The names of what the system keeps. Anything else in the folder is left as it is."""


def is_shared(folder: Path) -> bool:
    """Return whether everybody may make files in it, as in ``/tmp``."""
    return folder.is_dir() and bool(folder.stat().st_mode & stat.S_ISVTX)


def make_private(folder: Path) -> None:
    """Make the folder, and take from others what an earlier version let them do with it.

    Raises OSError if it is somebody else's.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in (folder, *_kept(folder)):
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & UMASK:
            path.chmod(mode & ~UMASK)


def _kept(folder: Path) -> Iterator[Path]:
    """Yield what the system keeps in the folder. A link is not followed."""
    for path in (path for name in OURS for path in folder.glob(name)):
        if path.is_symlink():
            continue
        yield path
        for parent, folders, files in os.walk(path):
            inside = (Path(parent, name) for name in (*folders, *files))
            yield from (each for each in inside if not each.is_symlink())
