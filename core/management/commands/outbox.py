"""``manage.py outbox status|drain|retry|discard``: operate the outbox from a terminal."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import QuerySet

from core.models import OutboxCall
from core.outbox.drain import drain_all
from core.outbox.operate import HELD, discard_calls, outbox_status, retry_calls
from core.outbox.sweep import outbox_aliases

COLUMNS = ("pending", "running", "uncertain", "dead")


class Command(BaseCommand):
    """Show the outbox, settle what is due, and retry or discard what failed."""

    help = "Shows the outbox, settles what is due, retries or discards what failed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """One subcommand for each thing to do."""
        commands = parser.add_subparsers(dest="command", required=True)
        status = commands.add_parser("status", help="calls by task and status; the oldest due one")
        status.add_argument("--json", action="store_true", help="as JSON, ages in seconds")
        drain = commands.add_parser("drain", help="settle everything due, in this process")
        drain.add_argument("--database", choices=outbox_aliases(), help="this database's only")
        for name, what in (
            ("retry", "make dead and uncertain calls due again"),
            ("discard", "delete dead and uncertain calls for good"),
        ):
            chosen = commands.add_parser(name, help=what)
            chosen.add_argument("ids", nargs="*", type=int, metavar="ID", help="these calls")
            chosen.add_argument("--task", help="all of this task")
            chosen.add_argument("--all", action="store_true", help="all there are")
            chosen.add_argument("--database", choices=outbox_aliases(), default="default")

    def handle(self, *args: Any, command: str, **options: Any) -> None:
        """Run the subcommand."""
        getattr(self, command)(**options)

    def status(self, *, json: bool, **options: Any) -> None:
        """Print how the outbox stands."""
        status = outbox_status()
        self.stdout.write(_as_json(status) if json else _as_table(status))

    def drain(self, *, database: str | None, **options: Any) -> None:
        """Settle everything that is due; fail if a call became a dead letter."""
        report = drain_all(database)
        self.stdout.write(f"settled {report.settled}, retried {report.retried}, dead {report.dead}")
        if report.dead:
            raise CommandError(
                f"Became dead letters: {report.dead}. See 'manage.py outbox status' and the admin; "
                "mend the cause, then 'manage.py outbox retry' or 'discard'."
            )

    def retry(self, **options: Any) -> None:
        """Make the chosen calls due again."""
        self.stdout.write(f"{retry_calls(self._chosen('retry', **options))} due again")

    def discard(self, **options: Any) -> None:
        """Delete the chosen calls."""
        self.stdout.write(f"{discard_calls(self._chosen('discard', **options))} discarded")

    def _chosen(
        self, command: str, *, ids: list[int], task: str | None, all: bool, database: str, **_: Any
    ) -> QuerySet[OutboxCall]:
        given = [name for name, value in (("IDs", ids), ("--task", task), ("--all", all)) if value]
        if len(given) != 1:
            raise CommandError(
                f"Expected either IDs, --task or --all, got {' and '.join(given) or 'none'}. Say "
                f"which calls: 'outbox {command} ID [ID …]', '--task NAME' or '--all'."
            )
        held = OutboxCall.objects.using(database).filter(status__in=HELD)
        if ids:
            return _with_ids(held, ids)
        return held.filter(task=task) if task else held


def _with_ids(held: QuerySet[OutboxCall], ids: list[int]) -> QuerySet[OutboxCall]:
    chosen = held.filter(pk__in=ids)
    if missing := sorted(set(ids) - set(chosen.values_list("pk", flat=True))):
        raise CommandError(
            f"Not dead or uncertain, or not there: {', '.join(map(str, missing))}. Nothing was "
            "changed. The others settle by themselves; the admin lists them all."
        )
    return chosen


def _as_json(status: dict[str, Any]) -> str:
    return json.dumps(status, indent=2)


def _as_table(status: dict[str, Any]) -> str:
    width = max([4, *(len(name) for row in status.values() for name in row["tasks"])])
    lines = []
    for alias, row in status.items():
        lines.append(f"{alias}: oldest due call {_age(row['oldest_age'])}")
        if not row["tasks"]:
            lines.append("  the outbox is empty")
            continue
        header = "".join(f"{name:>11}" for name in (*COLUMNS, "oldest due"))
        lines.append(f"  {'task':<{width}}{header}")
        lines += [_line(name, counts, width) for name, counts in row["tasks"].items()]
    return "\n".join(lines)


def _line(name: str, counts: dict[str, Any], width: int) -> str:
    cells = "".join(f"{counts.get(column, 0):>11}" for column in COLUMNS)
    unknown = "" if counts["known"] else "  no such task in this code"
    return f"  {name:<{width}}{cells}{_age(counts['oldest_age']):>11}{unknown}"


def _age(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
