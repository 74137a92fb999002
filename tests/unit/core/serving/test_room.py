"""Disk space that slow clients can't use up."""

import asyncio
import errno
from io import BytesIO
from typing import Any

import pytest

from core.serving.application import Buffered
from core.serving.limits import IN_MEMORY, Busy
from core.serving.room import Room
from tests.unit.core.serving.asking import Asked, answering, ask_now

LARGE = b"x" * (IN_MEMORY + 100)


def test_it_is_given_back() -> None:
    """A share ends with its block. What is in memory needs none."""
    room = Room(100)
    with room.share() as one, room.share() as another:
        one(IN_MEMORY + 60)
        one(IN_MEMORY + 80)
        another(IN_MEMORY)
        another(IN_MEMORY + 20)
        with pytest.raises(Busy):
            another(IN_MEMORY + 21)
    assert room.free == 100


def statuses(room: int, body: bytes, **requests: Any) -> tuple[int, int, int]:
    """Return the statuses of a request with that answer, and what is free before and after."""

    async def work() -> tuple[Asked, int]:
        application = Buffered(answering(body))
        application.room.free = room
        return await ask_now(application, **requests), application.room.free

    asked, free = asyncio.run(work())
    return asked.status, room, free


@pytest.mark.parametrize(("room", "status"), [(99, 503), (100, 200)])
def test_large_answers(room: int, status: int) -> None:
    """One that finds no room is not sent. A small one always is."""
    assert statuses(room, LARGE) == (status, room, room)
    assert statuses(0, b"small") == (200, 0, 0)


@pytest.mark.parametrize(("room", "status"), [(99, 503), (100, 200)])
def test_large_requests(room: int, status: int) -> None:
    """One that finds no room is refused before the site sees it."""
    parts = [{"type": "http.request", "body": each, "more_body": True} for each in (LARGE[:9], b"")]
    last = {"type": "http.request", "body": LARGE[9:], "more_body": False}
    assert statuses(room, b"", messages=[*parts, last]) == (status, room, room)


class FullDisk(BytesIO):
    """A file that nothing can be written to."""

    def write(self, part: Any) -> int:
        """Fail as the system does."""
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """The client is told to come again, and the log says why."""
    monkeypatch.setattr("core.serving.application.SpooledTemporaryFile", lambda _: FullDisk())
    message = {"type": "http.request", "body": b"x", "more_body": False}
    assert statuses(9, b"", messages=[message]) == (503, 9, 9)
    assert "No space left on device" in caplog.text
