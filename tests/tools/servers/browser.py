"""Chromium and its driver: those of the machine, or those of Debian's packages."""

import os
import shutil
from pathlib import Path
from typing import NamedTuple

from core.stack.servers import ServerError
from tests.tools.servers.debian import libraries, unpacked

PACKAGES = ("chromium", "chromium-driver")
SEARCHED = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/bin"])
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
DRIVER = "chromedriver"


class Programs(NamedTuple):
    """The browser, the program that drives it, and the libraries that came with them."""

    browser: Path
    driver: Path
    libraries: str = ""

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables that the programs need."""
        return {"LD_LIBRARY_PATH": self.libraries} if self.libraries else {}


def find_programs() -> Programs:
    """Return those of the machine, or those that were fetched. Raises ServerError without any."""
    browser, driver = map(find, (NAMES, (DRIVER,)))
    if browser and driver:
        return Programs(browser, driver)
    root = unpacked(PACKAGES[0])
    fetched = Programs(
        root / "usr/lib/chromium/chromium", root / "usr/bin" / DRIVER, libraries(PACKAGES[0])
    )
    if fetched.browser.exists() and fetched.driver.exists():
        return fetched
    raise ServerError(
        f"No browser was found. Install Chromium and its driver (on Debian, "
        f"{' and '.join(PACKAGES)}), or put {NAMES[0]} or {NAMES[2]} and {DRIVER} on the PATH."
    )


def find(names: tuple[str, ...]) -> Path | None:
    """Return the first of these programs that is on the PATH."""
    found = (shutil.which(name, path=SEARCHED) for name in names)
    return next((Path(path) for path in found if path), None)
