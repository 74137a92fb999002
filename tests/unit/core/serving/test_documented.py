"""The page about the web server names each limit, and its figure."""

import re
from pathlib import Path

from core.serving import limits

PAGE = Path(__file__).parents[4] / "docs" / "reference" / "serving.md"


def test_the_table() -> None:
    """A limit that has another figure than the page is red, and so is one that it lacks."""
    told = {name: float(figure) for name, figure in ROW.findall(PAGE.read_text())}
    assert told == {name: value for name, value in vars(limits).items() if name.isupper()}


ROW = re.compile(r"^\| `([A-Z_]+)` \| (\d+) \|", re.MULTILINE)
