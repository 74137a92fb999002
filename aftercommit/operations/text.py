"""The outbox in lines of text, for a terminal."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from aftercommit.models import OutboxCall
from aftercommit.operations.health import DatabaseHealth
from aftercommit.operations.health_checks import as_text
from aftercommit.operations.operation import count_groups

COLUMNS = ("pending", "running", "uncertain", "dead")

SHOWN = 5
"""How many calls are named one by one."""


def status_lines(status: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield a table of each database's calls, given what ``outbox_status()`` returns."""
    width = max([4, *(len(name) for row in status.values() for name in row["tasks"])])
    for alias, row in status.items():
        yield f"{alias}: oldest due call {_age(row['oldest_age'])}"
        yield from _task_lines(row["tasks"], width)
        yield from (f"  {name}: {as_text(figures)}" for name, figures in row["checks"].items())


def health_line(database: DatabaseHealth) -> str:
    """Return a line about one database's health."""
    if database.error:
        return f"{database.alias}: {database.error}"
    oldest = max(database.ages.values(), default=None)
    alive = sum(not worker.is_stale for worker in database.workers)
    held = ", ".join(f"{count} {status}" for status, count in sorted(database.held.items()))
    calls = f"oldest due call {_age(oldest)}, workers alive {alive}, held {held or 'none'}"
    checks = (f"{name} {as_text(found.figures)}" for name, found in database.checks.items())
    return f"{database.alias}: {'; '.join([calls, *checks])}"


def call_lines(calls: QuerySet[OutboxCall]) -> Iterator[str]:
    """Yield how many calls there are of each task and status, and then the oldest calls."""
    for (task, status), count in count_groups(calls, ("task", "status")).items():
        yield f"{count} of {task}, {status}"
    for call in calls.defer("payload").order_by("created_at", "pk")[:SHOWN]:
        yield f"  {_call_line(call)}"
    if (more := calls.count() - SHOWN) > 0:
        yield f"  and {more} more"


def shown_lines(calls: QuerySet[OutboxCall], limit: int, whole: bool) -> Iterator[str]:
    """Yield a line for each of the oldest ``limit`` calls, and the whole error if ``whole``."""
    for call in calls.defer("payload").order_by("created_at", "pk")[:limit]:
        yield _call_line(call)
        if whole:
            yield from (f"    {line}" for line in call.error.strip().splitlines())
    if (more := calls.count() - limit) > 0:
        yield f"and {more} more"


def _call_line(call: OutboxCall) -> str:
    error = call.error.strip().rpartition("\n")[2][:100]
    states = [
        call.task,
        call.status,
        f"attempts {call.attempts}",
        f"made {_minute(call.created_at)}",
    ]
    if call.status == OutboxCall.Status.PENDING:
        states.append(f"due {_minute(call.available_at)}")
    return f"#{call.pk} {', '.join(states)}: {error or 'no error'}"


def _minute(time: datetime) -> str:
    return time.isoformat(" ", "minutes")


def _task_lines(tasks: Mapping[str, Mapping[str, Any]], width: int) -> Iterator[str]:
    if not tasks:
        yield "  the outbox is empty"
        return
    header = "".join(f"{name:>11}" for name in (*COLUMNS, "oldest due"))
    yield f"  {'task':<{width}}{header}"
    yield from (_task_line(name, counts, width) for name, counts in tasks.items())


def _task_line(name: str, counts: Mapping[str, Any], width: int) -> str:
    cells = "".join(f"{counts.get(column, 0):>11}" for column in COLUMNS)
    unknown = "" if counts["known"] else "  no such task in this code"
    failing = f"  failing: {counts['failing']}" if counts.get("failing") else ""
    return f"  {name:<{width}}{cells}{_age(counts['oldest_age']):>11}{failing}{unknown}"


def _age(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
