"""The calls of the chaos run's own: which task is called, what happens to a call, how it must end.

A call's keyword arguments name it and its fate, so that whoever reads them knows what to expect.
"""

import json
from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from tests.tools.chaos.witness import CALL, Record

MODULE = "tests.tools.chaos.tasks"
LINES = "lines.txt"
"""The file of effects outside the database, in the folder of the run."""

WRITE, WRITE_LIMITED, WRITE_TOGETHER = "write", "write_limited", "write_together"
SEND, SEND_AGAIN = "send", "send_again"

OUTSIDE = {SEND, SEND_AGAIN}
"""The tasks whose effects no rollback takes back."""
RESULTS = {WRITE_LIMITED, SEND}
"""The tasks that keep their results."""


class Fate(StrEnum):
    """What happens to a call while it runs."""

    WORKS = "works"
    SLOW = "is slow"
    FAILS_ONCE = "fails once"
    ASKS_AGAIN = "asks for a retry"
    HANGS_ONCE = "hangs once"
    REFUSED = "fails for good"
    EXHAUSTED = "has no retry left"
    BAD_SQL = "sends bad SQL"
    HANGS_SOFTLY = "hangs until it is told"
    HANGS = "hangs until it is killed"


DEADLY = {Fate.REFUSED, Fate.EXHAUSTED, Fate.BAD_SQL, Fate.HANGS_SOFTLY, Fate.HANGS}
"""The fates that end as a dead letter, without an effect. Outside the database a call that hangs is
uncertain in the end."""

FATES = {
    WRITE: {*Fate} - {Fate.HANGS_ONCE, Fate.HANGS_SOFTLY},
    WRITE_LIMITED: {*Fate} - {Fate.HANGS},
    WRITE_TOGETHER: {Fate.WORKS, Fate.SLOW, Fate.FAILS_ONCE, Fate.REFUSED, Fate.HANGS},
    SEND: {*Fate} - {Fate.BAD_SQL, Fate.HANGS_ONCE, Fate.HANGS_SOFTLY},
    SEND_AGAIN: {Fate.WORKS, Fate.SLOW, Fate.FAILS_ONCE, Fate.REFUSED},
}
"""What may happen to the calls of each task."""

WEIGHTS = {Fate.WORKS: 40, Fate.SLOW: 3, Fate.HANGS_ONCE: 1, Fate.HANGS_SOFTLY: 1, Fate.HANGS: 0.5}
"""How often each fate is drawn; 3 for those that aren't named."""


class OwnCall(NamedTuple):
    """A call of the chaos run's own that committed."""

    id: int
    task: str
    name: str
    fate: Fate

    @property
    def is_deadly(self) -> bool:
        """Return whether the call must end as a dead letter."""
        return self.fate in DEADLY

    def __str__(self) -> str:
        return f"call {self.id} of {self.task} ({self.name!r}, which {self.fate})"


def own_calls(records: Iterable[Record]) -> list[OwnCall]:
    """Return the calls of the chaos run's own tasks that committed."""
    rows = [each.new for each in records if each.model == CALL and each.new]
    return [_own_call(row) for row in rows if is_own(row["task"])]


def is_own(task: str) -> bool:
    """Return whether the task is one of the chaos run's own."""
    return task.startswith(f"{MODULE}.")


def _own_call(row: dict[str, str]) -> OwnCall:
    kwargs = json.loads(row["payload"])[1]
    task = row["task"].removeprefix(f"{MODULE}.")
    return OwnCall(int(row["id"]), task, kwargs["name"], Fate(kwargs["fate"]))
