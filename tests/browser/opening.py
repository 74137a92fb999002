"""A browser without a window, driven as the WebDriver standard says."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from selenium.webdriver import Chrome, ChromeOptions, ChromeService

from tests.tools.servers.browser import Programs

OPTIONS = (
    *("--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1000,1400"),
    *("--no-first-run", "--disable-extensions", "--disable-background-networking"),
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
"""The last one keeps the browser from reaching anything but this machine."""


@contextmanager
def open_browser(programs: Programs) -> Iterator[Chrome]:
    """Start a browser that has no cookies and keeps its console. It ends with the block."""
    with TemporaryDirectory(prefix="aftercommit-browser-") as profile:
        options = ChromeOptions()
        options.binary_location = str(programs.browser)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        for option in (*OPTIONS, f"--user-data-dir={profile}", *sandbox()):
            options.add_argument(option)
        with patch.dict(os.environ, programs.environment):
            driver = Chrome(options, ChromeService(str(programs.driver)))
        try:
            yield driver
        finally:
            driver.quit()


def sandbox() -> list[str]:
    """Return the option without which Chromium refuses to run as root, or fetched without it."""
    helper = Path("/usr/lib/chromium/chrome-sandbox")
    has_one = helper.exists() and helper.stat().st_mode & stat.S_ISUID
    return [] if has_one and os.geteuid() else ["--no-sandbox"]
