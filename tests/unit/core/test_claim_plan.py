"""How PostgreSQL reads a backlog that its statistics don't know of yet."""

import pytest
from django.db import connection

from core.outbox.claim import CLAIM

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        "'postgres' not in config.getoption('--database')", reason="PostgreSQL's plans"
    ),
]

TASK = "a task"

PILE_UP = """
    INSERT INTO core_outboxcall (task, payload, context)
    SELECT %s, '[[], {}]', '[]' FROM generate_series(1, %s)
"""


@pytest.fixture(autouse=True)
def _unknown_backlog() -> None:
    """A backlog in a table that was nearly empty when it was analysed, and had been full before."""
    with connection.cursor() as cursor:
        cursor.execute(PILE_UP, [TASK, 20_000])
        cursor.execute("DELETE FROM core_outboxcall")
        cursor.execute(PILE_UP, [TASK, 6])
        cursor.execute("VACUUM ANALYZE core_outboxcall")
        cursor.execute(PILE_UP, [TASK, 10_000])


def plan(statement: str, *parameters: str | int) -> str:
    """How the server would run it."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {statement}", parameters)
        return "\n".join(line for (line,) in cursor.fetchall())


def test_claim() -> None:
    """A claim reads its batch in the order of the index, and neither all nor sorted."""
    assert "Index Scan using outbox_pending" in plan(CLAIM, TASK, 500, TASK, "a worker")
