"""What those who changed something were told became of it.

Each operation writes a token of its own into what it changes, so that one that was never answered,
or whose process died, is resolved by looking for its token in what committed.
"""

import json
import os
import re
import threading
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path

TOKEN = re.compile(r"\b[a-z]+[0-9]+-[0-9]{5}\b")


class Outcome(StrEnum):
    """What whoever did an operation knows of it."""

    COMMITTED = "committed"
    ROLLED_BACK = "rolled back"
    UNKNOWN = "unknown"


class Ledger:
    """Takes down the operations of one actor; each line is on the disk before the call returns."""

    def __init__(self, path: Path, actor: str) -> None:
        self._file = path.open("a")
        self._actor = actor
        self._count = 0
        self._lock = threading.Lock()

    def begin(self) -> str:
        """The token of a new operation, of which nothing is known yet."""
        self._count += 1
        token = f"{self._actor}-{self._count:05d}"
        self.end(token, Outcome.UNKNOWN)
        return token

    def end(self, token: str, outcome: Outcome) -> None:
        """Take down what became of the operation."""
        with self._lock:
            self._file.write(json.dumps([token, outcome]) + "\n")
            self._file.flush()
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Write no more."""
        self._file.close()


def read_ledgers(folder: Path) -> dict[str, Outcome]:
    """What is known of each operation; a line that its writer's death cut off says nothing."""
    outcomes: dict[str, Outcome] = {}
    for path in sorted(folder.glob("*.ledger")):
        for line in path.read_text().splitlines(keepends=True):
            if line.endswith("\n"):
                token, outcome = json.loads(line)
                outcomes[token] = Outcome(outcome)
    return outcomes


def tokens_in(texts: Iterable[str | None]) -> set[str]:
    """Every token in the texts."""
    return {token for text in texts if text for token in TOKEN.findall(text)}
