"""How PostgreSQL reads a backlog that its statistics don't know of yet."""

from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from aftercommit.db.postgresql.statements import CLAIM, EXCHANGE, SETTLE, START
from aftercommit.worker.due import failing_ages

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.only_on("postgres", reason="PostgreSQL's plans"),
]

TASK = "a task"

IN_ORDER = "Index Scan using outbox_pending"

PILE_UP = """
    INSERT INTO aftercommit_outboxcall (task, payload, context)
    SELECT %s, '[[], {}]', '[]' FROM generate_series(1, %s)
"""


@pytest.fixture(autouse=True)
def _unknown_backlog() -> None:
    """A backlog in a table that was nearly empty when it was analysed, and had been full before."""
    with connection.cursor() as cursor:
        cursor.execute(PILE_UP, [TASK, 20_000])
        cursor.execute("DELETE FROM aftercommit_outboxcall")
        cursor.execute(PILE_UP, [TASK, 6])
        cursor.execute("VACUUM ANALYZE aftercommit_outboxcall")
        cursor.execute(PILE_UP, [TASK, 10_000])


def plan(statement: str, *parameters: Any) -> str:
    """How the server would run it; one mapping stands for named parameters."""
    named = parameters[0] if parameters and isinstance(parameters[0], dict) else parameters
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {statement}", named or None)
        return "\n".join(line for (line,) in cursor.fetchall())


def test_claim() -> None:
    """A claim reads its batch in the order of the index, and neither all nor sorted."""
    assert IN_ORDER in plan(CLAIM, TASK, 500, 1, TASK, "a worker")


def test_settle_by_statement() -> None:
    """So does a task's own statement."""
    insert = "INSERT INTO auth_group (name) SELECT kwargs ->> 'name' FROM calls"
    assert IN_ORDER in plan(SETTLE.format(statement=insert), TASK, *START, 500)


def test_lease() -> None:
    """So does a lease."""
    lease = {"done": None, "ended": None, "task": TASK, "lease": uuid4(), "seconds": 1}
    assert IN_ORDER in plan(EXCHANGE, lease)


def test_failing() -> None:
    """The health check reads the calls that fail, and no backlog."""
    with CaptureQueriesContext(connection) as queries:
        assert failing_ages("default") == {}
    (query,) = queries
    assert "using outbox_failing" in plan(query["sql"])
