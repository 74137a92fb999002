"""Do what the outbox asks on SQLite. One connection writes at a time, and no row is locked."""

from collections.abc import Iterator
from contextlib import contextmanager

from aftercommit.db.operations import OutboxOperations


class SQLiteOperations(OutboxOperations):
    """The outbox's operations on SQLite."""

    json_from = 0  # a statement may have few parameters
    json_rows = """
        SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'),
            json_extract(value, '$[2]'), json_extract(value, '$[3]'),
            strftime('%%Y-%%m-%%d %%H:%%M:%%f',
                coalesce(json_extract(value, '$[4]'), 'now'),
                CASE WHEN json_extract(value, '$[4]') IS NULL
                    THEN printf('%%+f seconds', json_extract(value, '$[5]'))
                    ELSE 'unixepoch' END)
        FROM json_each(%s)
        ORDER BY key
    """

    # A batch holds up every other writer while it runs.
    largest_batch = 50

    # A drain waits until it can write, after each commit of somebody else's.
    crash_grace = 90

    @contextmanager
    def short_wait(self, seconds: float) -> Iterator[None]:
        """Wait for so long at most until it can write, or as long as usual if that is less.

        The wait can't be changed in a transaction that has begun.
        """
        if self.connection.in_atomic_block:
            yield
            return
        usual = self.connection.settings_dict["OPTIONS"].get("timeout", 5)
        self._wait_for_slot(min(seconds, usual))
        try:
            yield
        finally:
            self._wait_for_slot(usual)

    def _wait_for_slot(self, seconds: float) -> None:
        with self.connection.cursor() as cursor:
            cursor.execute(f"PRAGMA busy_timeout = {round(seconds * 1000)}")
