"""Who waits for whom."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from core.serving.answer import WSGI
from core.serving.application import Buffered
from core.serving.lanes import Lane
from core.serving.limits import THREADS, WAITING
from tests.unit.core.serving.asking import Asked, ask_now


class Database:
    """What pages and ``/readyz`` wait for, and ``/healthz`` doesn't."""

    def __init__(self) -> None:
        self.answers = threading.Event()
        self.waiting = threading.Semaphore(0)
        self.asked: list[str] = []

    def application(self, environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        """Answer once the database does."""
        self.asked.append(environ["PATH_INFO"])
        if environ["PATH_INFO"] != "/healthz":
            self.waiting.release()
            self.answers.wait(20)
        start("200 OK", [])
        return [b"ok"]


@pytest.fixture
def frozen() -> Iterator[Database]:
    """A database that doesn't answer in the test, and does at its end."""
    database = Database()
    yield database
    database.answers.set()


async def busy(application: Buffered, requests: int) -> "list[asyncio.Task[Asked]]":
    """Return requests for pages, which have all begun to wait."""
    tasks = [asyncio.create_task(ask_now(application, "/page")) for _ in range(requests)]
    await asyncio.sleep(0)  # each runs up to where it waits
    return tasks


def run_with(wsgi: WSGI, work: Callable[[Buffered], Any]) -> None:
    """Run the work with an application."""
    asyncio.run(work(Buffered(wsgi)))


def test_healthz_answers_while_all_pages_wait(frozen: Database) -> None:
    """And ``/readyz`` says within its time that it has no answer. The pages get theirs later."""

    async def work(application: Buffered) -> None:
        application.probes["/readyz"].seconds = 0.01
        pages = await busy(application, THREADS + 20)
        for _ in range(THREADS):
            assert await asyncio.to_thread(frozen.waiting.acquire, timeout=20)
        assert (await ask_now(application, "/healthz")).status == 200
        assert (await ask_now(application, "/readyz")).status == 503
        assert (await ask_now(application, "/healthz")).status == 200
        frozen.answers.set()
        assert {(await page).status for page in pages} == {200}
        application.probes["/readyz"].seconds = 20
        assert (await ask_now(application, "/readyz")).status == 200

    run_with(frozen.application, work)


def test_no_more_wait_than_may(frozen: Database) -> None:
    """The next is refused at once, and told when to come again."""

    async def work(application: Buffered) -> None:
        pages = await busy(application, THREADS + WAITING)
        refused = await ask_now(application, "/page")
        assert (refused.status, refused.headers["retry-after"]) == (503, "5")
        frozen.answers.set()
        assert {(await page).status for page in pages} == {200}
        assert (await ask_now(application, "/page")).status == 200

    run_with(frozen.application, work)


def test_nobody_waits_for_a_thread_for_long(frozen: Database) -> None:
    """Who is refused was never begun. Who has begun is waited for: it may change something."""

    async def work(application: Buffered) -> None:
        application.pages = Lane(1, 0.01)
        [begun] = await busy(application, 1)
        assert await asyncio.to_thread(frozen.waiting.acquire, timeout=20)
        assert (await ask_now(application, "/other")).status == 503
        frozen.answers.set()
        assert (await begun).status == 200
        assert frozen.asked == ["/page"]

    run_with(frozen.application, work)
