"""People who publish, comment and look all the time, whatever happens to the site."""

import itertools
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

import httpx

from core.stack.waiting import wait_until
from tests.containers.people import Person
from tests.tools.demo.forms import PageError
from tests.tools.demo.site import SiteError

FAILURES = (SiteError, PageError, httpx.HTTPError)


class Traffic:
    """Threads that do one thing after the other, each under a text of its own.

    The author publishes. A commenter, if there is one, comments on what is published. ``look`` is a
    page that somebody opens, each time with a new connection.
    """

    def __init__(self, author: Person, commenter: Person | None = None, look: str = "") -> None:
        self.published: list[str] = []
        """The titles of the articles that the site said it has published."""
        self.seconds: list[float] = []
        """How long each of them took."""
        self.commented: list[str] = []
        """The texts of the comments that the site said it has."""
        self.looked = 0
        self.failures: list[str] = []
        """What came instead of such an answer."""
        self._author, self._commenter, self._look = author, commenter, look
        self._page = ""
        self._over = threading.Event()
        self._prefix = f"{author.name} {id(self):x}"
        does = [self._publish, *([self._comment] * bool(commenter)), *([self._open] * bool(look))]
        self.people = len(does)
        """How many requests there are at the same time."""
        self._threads = [threading.Thread(target=self._repeat, args=(each,)) for each in does]

    @property
    def refused(self) -> int:
        """Return how often the site gave no such answer."""
        return len(self.failures)

    @property
    def requests(self) -> str:
        """Return what was done, in words."""
        return (
            f"{len(self.published)} articles, {len(self.commented)} comments, "
            f"{self.looked} pages, {self.refused} refusals"
        )

    def _repeat(self, do: Callable[[int], None]) -> None:
        for number in itertools.count(1):
            if self._over.is_set():
                return
            try:
                do(number)
            except FAILURES as error:
                self.failures.append(f"{type(error).__name__}: {error}")
                self._over.wait(0.2)

    def _publish(self, number: int) -> None:
        title = f"Number {number} of {self._prefix}"
        began = time.monotonic()
        self._page = self._author.publish(title)
        self.seconds.append(time.monotonic() - began)
        self.published.append(title)

    def _comment(self, number: int) -> None:
        if self._page and self._commenter:
            text = f"Comment {number} of {self._prefix}"
            self._commenter.comment(self._page, text)
            self.commented.append(text)
        else:
            self._over.wait(0.2)

    def _open(self, number: int) -> None:
        httpx.get(self._look, timeout=30, trust_env=False).raise_for_status()
        self.looked += 1
        self._over.wait(0.05)

    def wait_for(self, more: int, seconds: float = 90) -> None:
        """Wait until so many more articles are published. Raises TimeoutError."""
        wanted = len(self.published) + more
        wait_until(lambda: len(self.published) >= wanted, seconds, f"{more} more articles")

    def __enter__(self) -> Self:
        for each in self._threads:
            each.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._over.set()
        for each in self._threads:
            each.join()
