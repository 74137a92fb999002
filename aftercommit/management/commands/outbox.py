"""``manage.py outbox status|health|drain|retry|discard``: operate the outbox from a terminal."""

import json
import os
import pwd
import socket
import sys
from argparse import ArgumentParser, ArgumentTypeError
from dataclasses import fields
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.module_loading import autodiscover_modules

from aftercommit.context import Context, use
from aftercommit.operations.choose import Choice, ChoiceError, describe, parse_age
from aftercommit.operations.health import DatabaseHealth, check_health
from aftercommit.operations.health_checks import as_text
from aftercommit.operations.operate import DISCARD, RETRY, operable_ids, outbox_status
from aftercommit.operations.operation import Operation
from aftercommit.worker.drain import drain_all
from aftercommit.worker.sweep import outbox_aliases

CHOICE = [field.name for field in fields(Choice)]
COLUMNS = ("pending", "running", "uncertain", "dead")


class Command(BaseCommand):
    """Show the outbox and its health, settle what is due, and retry or discard what failed."""

    help = "Shows the outbox and its health, settles what is due, retries or discards what failed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """One subcommand for each thing to do."""
        commands = parser.add_subparsers(dest="command", required=True)
        status = commands.add_parser("status", help="calls by task and status; the oldest due one")
        status.add_argument("--json", action="store_true", help="as JSON, ages in seconds")
        health = commands.add_parser("health", help="what is wrong; exits with 1 if something is")
        health.add_argument("--json", action="store_true", help="as JSON, as /readyz answers")
        drain = commands.add_parser("drain", help="settle everything due, in this process")
        drain.add_argument("--database", choices=outbox_aliases(), help="this database's only")
        for name, what, operation in (
            ("retry", "make dead and uncertain calls due again", RETRY),
            ("discard", "delete dead and uncertain calls for good", DISCARD),
        ):
            about = f"{what.capitalize()}. {operation.only}"
            _add_choice(commands.add_parser(name, help=what, description=about))

    def handle(self, *args: Any, command: str, **options: Any) -> None:
        """Run the subcommand."""
        autodiscover_modules("tasks")
        getattr(self, command)(**options)

    def status(self, *, json: bool, **options: Any) -> None:
        """Print how the outbox stands."""
        status = outbox_status()
        self.stdout.write(_as_json(status) if json else _as_table(status))

    def health(self, *, json: bool, **options: Any) -> None:
        """Print how the databases, tasks and workers stand; fail if there is a problem."""
        health = check_health()
        lines = [*map(_summary, health.databases), *(f"Note: {note}" for note in health.notes)]
        self.stdout.write(_as_json(health.as_json()) if json else "\n".join(lines))
        if health.problems:
            raise CommandError("\n".join(health.problems))

    def drain(self, *, database: str | None, **options: Any) -> None:
        """Settle everything that is due; fail if a call became a dead letter."""
        report = drain_all(database)
        counts = {"settled": report.settled, "retried": report.retried, "dead": report.dead}
        counts |= {"expired": report.expired} if report.expired else {}
        self.stdout.write(", ".join(f"{name} {count}" for name, count in counts.items()))
        for failure in report.failures:
            self.stdout.write(f"  {failure}")
        if report.dead:
            raise CommandError(
                f"Became dead letters: {report.dead}. See 'manage.py outbox status' and the admin; "
                "mend the cause, then 'manage.py outbox retry' or 'discard'."
            )

    def retry(self, **options: Any) -> None:
        """Make the chosen calls due again."""
        self._operate(RETRY, "due again", **options)

    def discard(self, **options: Any) -> None:
        """Delete the chosen calls."""
        self._operate(DISCARD, "discarded", **options)

    def _operate(
        self,
        operation: Operation,
        done: str,
        *,
        database: str,
        dry_run: bool,
        yes: bool,
        **options: Any,
    ) -> None:
        try:
            choice = Choice(**{name: options[name] for name in CHOICE})
            calls = choice.calls(database, operation)
        except ChoiceError as error:
            raise CommandError(str(error)) from error
        ids = operable_ids(operation, calls)
        if not yes:
            self.stdout.write("\n".join(describe(calls)) or "No such calls.")
        if dry_run:
            self.stdout.write(f"Nothing was changed: {len(ids)} would be {done}.")
            return
        if not yes:
            self.stdout.write("".join(f"{text}\n" for text in operation.warn(calls)), ending="")
            _confirm(operation.label, len(ids))
        with use(Context(actor=system_user())):
            count = operation.act(database, ids)
        left = f", {len(ids) - count} settled or taken meanwhile" if count < len(ids) else ""
        self.stdout.write(f"{count} {done}{left}")


def _add_choice(parser: ArgumentParser) -> None:
    parser.add_argument("ids", nargs="*", type=int, metavar="ID", help="these calls")
    parser.add_argument("--task", metavar="NAME", help="of this task, also if nobody has it")
    parser.add_argument("--error", metavar="TEXT", help="with this in their error, in any case")
    parser.add_argument(
        "--older-than", metavar="AGE", type=_age_argument, help="made before: 90s, 10m, 2h, 3d"
    )
    parser.add_argument("--all", dest="everything", action="store_true", help="all there are")
    parser.add_argument("--database", choices=outbox_aliases(), default="default")
    parser.add_argument("--dry-run", action="store_true", help="only show which they are")
    parser.add_argument("--yes", action="store_true", help="don't ask (needed without a terminal)")


def _age_argument(text: str) -> timedelta:
    try:
        return parse_age(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error


def _confirm(verb: str, count: int) -> None:
    if not (sys.stdin and sys.stdin.isatty()):
        raise CommandError("Nothing was changed: nobody is here to confirm. Add --yes to do it.")
    if not count:
        return
    try:
        answer = input(f"{verb} {count}? [y/N] ")
    except EOFError:
        answer = ""
    if answer.strip().lower() not in ("y", "yes"):
        raise CommandError("Nothing was changed.")


def system_user() -> str:
    """Who runs this process, for the log: ``name@host``, or what sudo was called as."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user need not have a name
        name = f"uid {os.getuid()}"
    user = f"{name}@{socket.gethostname()}"
    caller = os.environ.get("SUDO_USER")
    return f"{caller} as {user}" if caller else user


def _summary(database: DatabaseHealth) -> str:
    if database.error:
        return f"{database.alias}: {database.error}"
    oldest = max(database.ages.values(), default=None)
    alive = sum(not worker.is_stale for worker in database.workers)
    held = ", ".join(f"{count} {status}" for status, count in sorted(database.held.items()))
    calls = f"oldest due call {_age(oldest)}, workers alive {alive}, held {held or 'none'}"
    return f"{database.alias}: {'; '.join([calls, *_checks(database)])}"


def _checks(database: DatabaseHealth) -> list[str]:
    return [f"{name} {as_text(found.figures)}" for name, found in database.checks.items()]


def _as_json(status: dict[str, Any]) -> str:
    return json.dumps(status, indent=2)


def _as_table(status: dict[str, Any]) -> str:
    width = max([4, *(len(name) for row in status.values() for name in row["tasks"])])
    lines = []
    for alias, row in status.items():
        lines.append(f"{alias}: oldest due call {_age(row['oldest_age'])}")
        lines += _task_lines(row["tasks"], width)
        lines += [f"  {name}: {as_text(figures)}" for name, figures in row["checks"].items()]
    return "\n".join(lines)


def _task_lines(tasks: dict[str, dict[str, Any]], width: int) -> list[str]:
    if not tasks:
        return ["  the outbox is empty"]
    header = "".join(f"{name:>11}" for name in (*COLUMNS, "oldest due"))
    title = f"  {'task':<{width}}{header}"
    return [title, *(_line(name, counts, width) for name, counts in tasks.items())]


def _line(name: str, counts: dict[str, Any], width: int) -> str:
    cells = "".join(f"{counts.get(column, 0):>11}" for column in COLUMNS)
    unknown = "" if counts["known"] else "  no such task in this code"
    return f"  {name:<{width}}{cells}{_age(counts['oldest_age']):>11}{unknown}"


def _age(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
