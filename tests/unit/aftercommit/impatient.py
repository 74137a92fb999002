"""A connection that fails where it would wait for a lock."""

from collections.abc import Iterator

import pytest
from django.db import connection

IMPATIENT = {
    "postgresql": "SET lock_timeout = 100",
    "mysql": "SET SESSION innodb_lock_wait_timeout = 1",
}

row_locks_only = pytest.mark.only_on("postgres", "mysql", reason="SQLite locks no rows")
"""For what a lock of a row does to others."""


@pytest.fixture
def _impatient() -> Iterator[None]:
    """Have any statement of this thread that waits for a lock fail."""
    with connection.cursor() as cursor:
        cursor.execute(IMPATIENT[connection.vendor])
    yield
    connection.close()
