"""Drop the callbacks of work that is rolled back, whichever way it is rolled back."""

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper


class RollbackMixin(BaseDatabaseWrapper):
    """A database backend that knows how many callbacks there were when each savepoint began.

    Everything is done once the backend's own method has returned. So a rollback that Django refuses
    forgets nothing. The hook's ``commit()`` forgets the savepoints: a method here would be a Python
    call more for each request.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._savepoints: list[tuple[str, int]] = []
        super().__init__(*args, **kwargs)

    def rollback(self) -> None:
        """Roll back, and drop the callbacks of what is undone."""
        super().rollback()
        self.run_on_commit = []
        self._savepoints.clear()

    def savepoint(self) -> str | None:
        """Begin a savepoint and return its id, or None outside of a transaction."""
        sid: str | None = super().savepoint()
        if sid is not None:
            self._savepoints.append((sid, len(self.run_on_commit)))
        return sid

    def savepoint_commit(self, sid: str) -> None:
        """Release a savepoint."""
        super().savepoint_commit(sid)
        self._forget_savepoints(sid)

    def savepoint_rollback(self, sid: str) -> None:
        """Roll back to a savepoint, and drop the callbacks that were registered since.

        Django drops those that were registered in an ``atomic()`` block of the savepoint. It would
        call those after a ``transaction.savepoint()``, though the work that they are for is gone.
        """
        super().savepoint_rollback(sid)
        count = self._forget_savepoints(sid)
        if count is not None:
            del self.run_on_commit[count:]
            self._savepoints.append((sid, count))  # it can be rolled back to again

    def _forget_savepoints(self, sid: str) -> int | None:
        """Forget a savepoint and those begun after it, which end with it.

        Returns how many callbacks the transaction had when the savepoint began.
        """
        for index in range(len(self._savepoints) - 1, -1, -1):
            name, count = self._savepoints[index]
            if name == sid:
                del self._savepoints[index:]
                return count
        return None
