"""Somebody who publishes all the time, whatever happens to the site."""

import itertools
import threading
from types import TracebackType
from typing import Self

from core.stack.waiting import wait_until
from tests.containers.people import Person
from tests.tools.demo.forms import PageError
from tests.tools.demo.site import SiteError


class Traffic:
    """A thread that publishes one article after the other, under a title of its own each."""

    def __init__(self, author: Person) -> None:
        self.published: list[str] = []
        """The titles of the articles that the site said it has published."""
        self.refused = 0
        """How often the site gave no such answer."""
        self._author = author
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._write, name="traffic")

    def _write(self) -> None:
        for number in itertools.count(1):
            if self._over.is_set():
                return
            try:
                self._author.publish(f"Number {number}")
                self.published.append(f"Number {number}")
            except (SiteError, PageError):
                self.refused += 1
                self._over.wait(0.2)

    def wait_for(self, more: int, seconds: float = 90) -> None:
        """Wait until so many more articles are published. Raises TimeoutError."""
        wanted = len(self.published) + more
        wait_until(lambda: len(self.published) >= wanted, seconds, f"{more} more articles")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()
