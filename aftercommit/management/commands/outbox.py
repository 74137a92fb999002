"""``manage.py outbox status|show|health|drain|retry|discard|adopt``: the outbox in a terminal."""

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.checks import run_checks
from django.core.management.base import BaseCommand, CommandError, SystemCheckError
from django.db import Error as DatabaseFault
from django.db.models import QuerySet
from django.utils.module_loading import autodiscover_modules

from aftercommit.adopt.report import look
from aftercommit.conf import TAG
from aftercommit.context import Context, use
from aftercommit.db.aliases import outbox_aliases
from aftercommit.management.system_user import system_user
from aftercommit.models import OutboxCall
from aftercommit.operations.calls import DISCARD, RETRY
from aftercommit.operations.health import check_health
from aftercommit.operations.operation import Operation
from aftercommit.operations.selection import Selection, SelectionError, parse_age
from aftercommit.operations.status import outbox_status
from aftercommit.operations.text import call_lines, health_line, shown_lines, status_lines
from aftercommit.printable import escape_controls
from aftercommit.worker.drain import drain_all

SELECTING = [field.name for field in fields(Selection)]
"""The options that select calls."""


class Command(BaseCommand):
    """Operate the outbox from a terminal."""

    help = "Shows the outbox and its health, settles what is due, retries or discards what failed."
    requires_system_checks = [TAG]

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add a subcommand for each thing to do."""
        commands = parser.add_subparsers(dest="command", required=True)
        status = commands.add_parser("status", help="calls by task and status; the oldest due one")
        status.add_argument("--json", action="store_true", help="as JSON, ages in seconds")
        show = commands.add_parser("show", help="calls one by one, with their last errors")
        _add_properties(show)
        show.add_argument("--limit", type=_count_argument, default=50, help="this many at most")
        health = commands.add_parser("health", help="what is wrong; exits with 1 if something is")
        health.add_argument("--json", action="store_true", help="as JSON, as /readyz answers")
        drain = commands.add_parser("drain", help="settle everything due, in this process")
        drain.add_argument("--database", choices=outbox_aliases(), help="this database's only")
        adopt = commands.add_parser("adopt", help="list what is not durable yet in your code")
        adopt.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="only these")
        adopt.add_argument("--all", dest="everything", action="store_true", help="all messages")
        adopt.add_argument("--check", action="store_true", help="exit with 1 if anything is found")
        adopt.add_argument("--json", action="store_true", help="as JSON")
        for name, what, operation in (
            ("retry", "make dead and uncertain calls due again", RETRY),
            ("discard", "delete dead and uncertain calls for good", DISCARD),
        ):
            about = f"{what.capitalize()}. {operation.restriction}"
            _add_selection(commands.add_parser(name, help=what, description=about))

    def execute(self, *args: Any, **options: Any) -> Any:
        """Run the command, after the checks. ``adopt`` lists what they find itself."""
        skip = options["command"] == "adopt" or options["skip_checks"]
        return super().execute(*args, **options | {"skip_checks": skip})

    def check(self, *args: Any, **options: Any) -> None:
        """Raise SystemCheckError for the library's errors. Print no warning, and no advice."""
        errors = [each for each in run_checks(tags=[TAG]) if each.is_serious()]
        if found := [str(each) for each in errors if not each.is_silenced()]:
            raise SystemCheckError("\n\n".join(found))

    def handle(self, *args: Any, command: str, **options: Any) -> None:
        """Run the subcommand. Fail with a sentence if a database does. ``--traceback`` has more."""
        autodiscover_modules("tasks")
        try:
            getattr(self, command)(**options)
        except DatabaseFault as error:
            raise CommandError(
                f"A database of the outbox failed: {escape_controls(str(error).strip())}\n"
                "See that its server runs and that migrations are applied (manage.py migrate)."
            ) from error

    def status(self, *, json: bool, **options: Any) -> None:
        """Print the outbox's calls by task and status."""
        status = outbox_status()
        self._say(_as_json(status) if json else "\n".join(status_lines(status)))

    def show(self, *, database: str, limit: int, **options: Any) -> None:
        """Print calls with their last errors: those that failed, if no others are named."""
        try:
            calls = _selection(options).calls_to_show(database)
        except SelectionError as error:
            raise CommandError(str(error)) from error
        lines = shown_lines(calls, limit, whole=bool(options["ids"]))
        self._say("\n".join(lines) or "No such calls.")

    def health(self, *, json: bool, **options: Any) -> None:
        """Print the health of databases, tasks and workers. Fail if there is a problem."""
        health = check_health()
        lines = [*map(health_line, health.databases), *(f"Note: {note}" for note in health.notes)]
        self._say(_as_json(health.as_json()) if json else "\n".join(lines))
        if health.problems:
            raise CommandError(escape_controls("\n".join(health.problems)))

    def drain(self, *, database: str | None, **options: Any) -> None:
        """Settle everything that is due. Fail if a call became a dead letter."""
        report = drain_all(database)
        counts = {"settled": report.settled, "retried": report.retried, "dead": report.dead}
        counts |= {"expired": report.expired} if report.expired else {}
        self._say(", ".join(f"{name} {count}" for name, count in counts.items()))
        for call, failure in report.failures.items():
            self._say(f"  {call} {failure}")
        if report.dead:
            raise CommandError(
                f"Became dead letters: {report.dead}. See 'manage.py outbox status' and the admin; "
                "mend the cause, then 'manage.py outbox retry' or 'discard'."
            )

    def adopt(
        self, *, paths: list[Path], everything: bool, check: bool, json: bool, **options: Any
    ) -> None:
        """Print what is not durable yet in the project's code. Change nothing."""
        if missing := [str(path) for path in paths if not path.exists()]:
            raise CommandError(f"There is no {', '.join(missing)}. Give files or folders of yours.")
        report = look(paths, everything=everything)
        terminal: Any = self.stdout._out  # Django 5.1 has no encoding of its wrapper
        text = report.as_text(Path.cwd(), getattr(terminal, "encoding", None))
        self._say(_as_json(report.as_json()) if json else text)
        if check and report.findings:
            sys.exit(1)

    def retry(self, **options: Any) -> None:
        """Make the selected calls due again."""
        self._operate(RETRY, "due again", **options)

    def discard(self, **options: Any) -> None:
        """Delete the selected calls."""
        self._operate(DISCARD, "discarded", **options)

    def _say(self, text: str, ending: str = "\n") -> None:
        # Names of tasks and errors are in the database, where others can write them.
        self.stdout.write(escape_controls(text), ending=ending)

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
        calls = _select(database, operation, options)
        ids = operation.accepted_ids(calls)
        if not yes:
            self._say("\n".join(call_lines(calls)) or "No such calls.")
        if dry_run:
            self._say(f"Nothing was changed: {len(ids)} would be {done}.")
            return
        if not yes:
            self._say("".join(f"{text}\n" for text in operation.warn(calls)), ending="")
            _confirm(operation.label, len(ids))
        with use(Context(actor=system_user())):
            count = operation.run(database, ids)
        left = f", {len(ids) - count} settled or taken meanwhile" if count < len(ids) else ""
        self._say(f"{count} {done}{left}")


def _add_properties(parser: ArgumentParser) -> None:
    parser.add_argument("ids", nargs="*", type=int, metavar="ID", help="these calls")
    parser.add_argument("--task", metavar="NAME", help="of this task, also if nobody has it")
    parser.add_argument("--error", metavar="TEXT", help="with this in their error, in any case")
    parser.add_argument(
        "--older-than", metavar="AGE", type=_age_argument, help="made before: 90s, 10m, 2h, 3d"
    )
    parser.add_argument("--database", choices=outbox_aliases(), default="default")


def _add_selection(parser: ArgumentParser) -> None:
    _add_properties(parser)
    parser.add_argument("--all", dest="everything", action="store_true", help="all there are")
    parser.add_argument("--dry-run", action="store_true", help="only show which they are")
    parser.add_argument("--yes", action="store_true", help="don't ask (needed without a terminal)")


def _select(using: str, operation: Operation, options: dict[str, Any]) -> QuerySet[OutboxCall]:
    try:
        return _selection(options).calls(using, operation)
    except SelectionError as error:
        raise CommandError(str(error)) from error


def _selection(options: dict[str, Any]) -> Selection:
    return Selection(**{name: options[name] for name in SELECTING if name in options})


def _count_argument(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise ArgumentTypeError(f"{text!r} is no number of calls. Expected 1 or more.")
    return int(text)


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


def _as_json(status: dict[str, Any]) -> str:
    return json.dumps(status, indent=2)
