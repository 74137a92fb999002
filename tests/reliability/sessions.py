"""A connection of its own, its open transaction, and the instances that its code holds."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, TypeVar

from django.db import DatabaseError, connection, transaction

from tests.reliability.history import Change, History, Rows, apply

Result = TypeVar("Result")

TIMEOUT = 60


class RollBackError(Exception):
    """What rolls a transaction or a savepoint back."""


class Savepoint:
    """Django's own savepoint functions, with the face of ``atomic()``."""

    def __enter__(self) -> None:
        self._id = str(connection.savepoint())

    def __exit__(self, kind: Any, *args: object) -> None:
        if kind is None and not transaction.get_rollback():
            connection.savepoint_commit(self._id)
        else:
            transaction.set_rollback(False)
            connection.savepoint_rollback(self._id)


BLOCKS: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "atomic": transaction.atomic,
    "atomic without savepoint": lambda: transaction.atomic(savepoint=False),
    "savepoint": Savepoint,
}


@dataclass
class Frame:
    """A block that is open, and how things were when it began."""

    block: AbstractContextManager[Any]
    can_roll_back: bool
    changes: int


@dataclass
class Session:
    """One connection in one thread, as a request or a worker has it."""

    history: History
    frames: list[Frame] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    instances: list[Any] = field(default_factory=list)
    broken: bool = False

    def __post_init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1)

    @property
    def rows(self) -> Rows:
        """What the session sees: what has committed, and what it did itself."""
        return apply(self.history.rows, self.changes)

    def run(self, function: Callable[[], Result]) -> Result:
        """The function's result, on the session's connection."""
        return self._thread.submit(function).result(TIMEOUT)

    def close(self) -> None:
        """End the thread and its connection."""
        self.run(lambda: connection.close())  # the thread's, not the caller's
        self._thread.shutdown()

    # --- Blocks -----------------------------------------------------------------------------
    def enter(self, kind: str) -> None:
        """Open a block in those that are open."""
        block = BLOCKS[kind]()
        can_roll_back = not self.frames or kind != "atomic without savepoint"
        self.run(block.__enter__)
        self.frames.append(Frame(block, can_roll_back, len(self.changes)))

    def leave(self) -> None:
        """Leave the innermost block as if nothing was wrong."""
        frame = self.frames.pop()
        try:
            self.run(lambda: frame.block.__exit__(None, None, None))
        except DatabaseError:  # a foreign key is checked at COMMIT
            self._forget(frame)
        else:
            if self.broken and frame.can_roll_back:
                self._forget(frame)
        if not self.frames:
            self._commit()

    def roll_back(self) -> None:
        """Have an exception leave the innermost blocks, up to the one that rolls back."""
        error = RollBackError()
        while self.frames:
            frame = self.frames.pop()
            self.run(lambda frame=frame: frame.block.__exit__(RollBackError, error, None))  # type: ignore[misc]
            if frame.can_roll_back:
                self._forget(frame)
                return

    def _forget(self, frame: Frame) -> None:
        self.broken = False
        del self.changes[frame.changes :]

    def _commit(self) -> None:
        self.history.commit(self.changes)
        self.changes.clear()

    # --- Operations -------------------------------------------------------------------------
    def attempt(self, operation: Callable[[], Result], guarded: bool) -> Result | Exception:
        """The operation's result, or the error that it failed with.

        In a savepoint of its own, if it is ``guarded``; else its failure may break what is around.
        """
        result = self.run(lambda: self._attempt(operation, guarded))
        self.broken = bool(self.frames) and self.run(transaction.get_rollback)
        return result

    def _attempt(self, operation: Callable[[], Result], guarded: bool) -> Result | Exception:
        try:
            with transaction.atomic() if guarded else nullcontext():
                return operation()
        except (DatabaseError, RollBackError) as error:
            return error.with_traceback(None)

    def did(self, *changes: Change) -> None:
        """Note what an operation did."""
        self.changes.extend(changes)
        if not self.frames:
            self._commit()

    def hold(self, instance: Any) -> None:
        """Keep an instance for later operations; the oldest is let go."""
        self.instances = [*self.instances[-7:], instance]

    def let_go(self, instance: Any) -> None:
        """Keep it no longer."""
        self.instances = [each for each in self.instances if each is not instance]
