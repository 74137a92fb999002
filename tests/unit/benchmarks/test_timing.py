"""What a child does to measure."""

import json
from typing import Any

from benchmarks.timing import count_calls


class Contender:
    """One that keeps what it has made."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def save(self, effects: int) -> None:
        """A call of json's for each effect, and at first one more."""
        self.made = self.made or [json.dumps({})]
        for number in range(effects):
            json.dumps(number)


def test_count_calls() -> None:
    """By package, as often as the function calls it once it has run; the same each time."""
    contender: Any = Contender()
    counts = [count_calls(contender, "save", {"effects": effects}) for effects in (1, 3, 3)]
    assert counts[1] == counts[2]
    assert counts[1]["tests"] == counts[0]["tests"] == 1
    assert counts[1]["json"] == 3 * counts[0]["json"] > 3


class Waking(Contender):
    """One that now and then has somebody to wake up."""

    def save(self, effects: int) -> None:
        """A call more at each second time."""
        self.made.append("")
        for number in range(effects + len(self.made) % 2):
            json.dumps(number)


def test_least_calls() -> None:
    """What only some of the times cost isn't counted."""
    contender: Any = Waking()
    assert len({count_calls(contender, "save", {"effects": 2})["json"] for _ in range(6)}) == 1
