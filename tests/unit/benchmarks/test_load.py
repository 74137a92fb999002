"""What the clients of a site read and ask."""

import pytest

from benchmarks.load import length_of
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


def test_cookies_fit_into_one_line() -> None:
    """The session's and the CSRF token's, each of 32 characters, as Django makes them."""
    values = [cookie.partition("=")[2] for cookie in COOKIES.split("; ")]
    assert [len(value) for value in values] == [32, 32]
