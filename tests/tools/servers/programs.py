"""Programs that the documents tell people to use: those of the machine, or Debian's, fetched."""

import os
import shutil
from pathlib import Path

from core.stack.servers import ServerError
from tests.tools.servers.debian import fetch, unpacked

PACKAGES = {"caddy": "caddy", "systemd-analyze": "systemd"}
"""The programs, and Debian's packages of them."""

SEARCHED = os.environ.get("PATH", os.defpath)


def find_or_fetch(name: str) -> Path:
    """Return the program. Raises ServerError if the machine lacks it, and it can't be fetched."""
    package = PACKAGES[name]
    if found := shutil.which(name, path=SEARCHED):
        return Path(found)
    try:
        fetch(package)
    except ServerError as error:
        raise ServerError(
            f"{name} was not found. Install it (on Debian, in {package}). {error}"
        ) from error
    return unpacked(package) / "usr/bin" / name


def library_folders(name: str) -> str:
    """Return the folders of the libraries that were fetched with the program."""
    found = unpacked(PACKAGES[name]).glob("**/lib*.so*")
    return os.pathsep.join(sorted({str(each.parent) for each in found}))
