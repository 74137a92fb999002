"""What the clients of a site read and ask."""

import itertools
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks.load import TRIES, connect, length_of
from benchmarks.shop.reader import COOKIES

BARE = b"HTTP/1.1 204 No Content\r\nServer: x\r\n\r\n"
PAGE = b"HTTP/1.1 200 OK\r\nServer: x\r\ncontent-length: 20\r\n\r\n"


class TestLengthOf:
    """When an answer is whole."""

    @pytest.mark.parametrize(
        ("beginning", "length"),
        [(BARE, len(BARE)), (PAGE, len(PAGE) + 20), (PAGE + b"x" * 20, len(PAGE) + 20)],
    )
    def test_of_a_head(self, beginning: bytes, length: int) -> None:
        """With the body that it announces, however much of that is there."""
        assert length_of(beginning) == length

    def test_of_a_part_of_a_head(self) -> None:
        """It isn't known, though the body's is."""
        assert length_of(PAGE[:-1]) is None


class Client:
    """A client whose connection one process has accepted."""

    def __init__(self, process: int) -> None:
        self.process, self.closed = process, False

    def ask(self) -> bytes:
        """Its answer."""
        return f"HTTP/1.1 204 No Content\r\nProcess: {self.process}\r\n\r\n".encode()

    def close(self) -> None:
        """Note it."""
        self.closed = True


class TestConnect:
    """Clients are shared out among the site's processes."""

    @pytest.mark.parametrize(
        ("clients", "shares"), [(8, {1: 4, 2: 4}), (1, {1: 1}), (3, {1: 2, 2: 1})]
    )
    def test_equal_shares(self, clients: int, shares: dict[int, int]) -> None:
        """However unequally they accept connections; those that are too many are closed."""
        made: list[Client] = []
        accepting: Iterator[int] = itertools.cycle([1, 1, 1, 1, 1, 2])

        def new_client() -> Any:
            made.append(Client(next(accepting)))
            return made[-1]

        found: list[Any] = connect(clients, 2, new_client)
        assert Counter(each.process for each in found) == shares
        assert [each for each in made if not each.closed] == sorted(found, key=made.index)

    def test_fail_without_a_share(self) -> None:
        """A process that accepts none is said, and not waited for without end."""
        accepting: Iterator[Any] = map(Client, itertools.repeat(1))
        with pytest.raises(RuntimeError, match=f"{TRIES} connections, and no 2 processes took 4"):
            connect(8, 2, lambda: next(accepting))


def test_cookies_fit_into_one_line() -> None:
    """The session's and the CSRF token's, each of 32 characters, as Django makes them."""
    values = [cookie.partition("=")[2] for cookie in COOKIES.split("; ")]
    assert [len(value) for value in values] == [32, 32]
