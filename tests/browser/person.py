"""Somebody who reads pages, fills in forms and clicks."""

from typing import Any

from selenium.common.exceptions import WebDriverException
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from core.stack.waiting import wait_until

PATIENCE = 20
SERIOUS = ("WARNING", "SEVERE")
"""The levels of the console that count. The others have hints."""


class Person:
    """A person at a browser."""

    def __init__(self, chrome: Chrome, site_url: str) -> None:
        self._chrome = chrome
        self._site_url = site_url
        self._complaints: list[str] = []

    def open(self, path: str) -> None:
        """Open a page of the site, or the link of a mail."""
        address = path if path.startswith("http") else self._site_url + path
        self._chrome.get(address)
        self._read_console()

    def fill(self, **values: str) -> None:
        """Fill in the fields by their names."""
        for name, value in values.items():
            field = self._chrome.find_element(By.NAME, name)
            field.clear()
            field.send_keys(value)

    def click(self, text: str) -> None:
        """Click the link or the button with this text, and wait for the next page."""
        page = self._chrome.find_element(By.TAG_NAME, "html")
        self._find(text).click()
        wait_until(lambda: is_gone(page), PATIENCE, f"the page after {text!r}")
        self._read_console()

    def sees(self, text: str) -> bool:
        """Return whether the text is on the page."""
        return text in self._chrome.find_element(By.TAG_NAME, "body").text

    @property
    def path(self) -> str:
        """Return the path of the page."""
        return self._chrome.current_url.removeprefix(self._site_url)

    def complaints(self) -> list[str]:
        """Return what the browser complained of on all pages: scripts, policies, missing files."""
        self._read_console()
        return self._complaints

    def _find(self, text: str) -> WebElement:
        same = f"normalize-space()={text!r} or starts-with(normalize-space(), {text!r})"
        found = self._chrome.find_elements(By.XPATH, f"//main//*[self::a or self::button][{same}]")
        found += self._chrome.find_elements(By.XPATH, f"//*[self::a or self::button][{same}]")
        assert found, f"{self.path} has nothing to click with the text {text!r}."
        return found[0]

    def _read_console(self) -> None:
        chrome: Any = self._chrome  # its log has no types
        entries = chrome.get_log("browser")
        serious = [entry["message"] for entry in entries if entry["level"] in SERIOUS]
        # A browser asks for this file by itself. The admin's pages name no icon.
        self._complaints += [f"{self.path}: {m}" for m in serious if "/favicon.ico" not in m]


def is_gone(page: WebElement) -> bool:
    """Return whether another page has been loaded in its place."""
    try:
        page.is_enabled()
    except WebDriverException:
        return True
    return False
