"""A finding: one place in a project that is not durable, and what to write instead."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any


class Kind(StrEnum):
    """The kind of a finding. The order is the order of the report."""

    ON_COMMIT = "on-commit"
    RECEIVER = "receiver"
    TRANSACTION = "transaction"
    TASK_MESSAGE = "task-message"
    OUTSIDE_EFFECT = "outside-effect"
    TASK_CLASS = "task-class"
    SETTING = "setting"
    MESSAGE = "message"


TITLES: Mapping[Kind, str] = {
    Kind.ON_COMMIT: "Sent under on_commit: lost if the broker is down, or if the process dies "
    "between the commit and the message",
    Kind.RECEIVER: "Sent by a receiver, a model or an app: lost if the broker is down, and sent "
    "even if the transaction rolls back",
    Kind.TRANSACTION: "Sent inside a transaction: a worker can run it before the commit, and it "
    "runs even if the transaction rolls back",
    Kind.TASK_MESSAGE: "Sent by a task whose call can run again: each run sends another",
    Kind.OUTSIDE_EFFECT: "Tasks with effects outside the database, and without atomic=False: a "
    "durable call of them can run again, and does those effects again",
    Kind.TASK_CLASS: "Tasks whose class is not durable, or hides a durable method",
    Kind.SETTING: "Settings and declarations that break the guarantee",
    Kind.MESSAGE: "Sent where nothing shows a transaction: lost if the process dies first",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One place, and what to write instead."""

    kind: Kind
    advice: str
    path: Path | None = None
    """The file. None for a setting."""

    line: int = 0
    """The number of the line, from 1. 0 for a setting."""

    source: str = ""
    """The line itself, or what a system check says of a setting."""

    end: int = 0
    """The number of the last line of the statement. A comment on any of its lines silences it."""

    def as_json(self) -> dict[str, Any]:
        """Return the finding in JSON's types."""
        values = asdict(self)
        del values["end"]
        return values | {"path": self.path and str(self.path), "line": self.line or None}
