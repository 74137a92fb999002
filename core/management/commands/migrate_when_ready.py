"""Migrate beside a running site, and wait for a database that still starts."""

from argparse import ArgumentParser, ArgumentTypeError
from contextlib import suppress
from typing import Any

from django.core.management import BaseCommand, CommandError, call_command
from django.db import OperationalError, connection

from core.stack.waiting import wait_until

LIMITS_LOCKS = {"postgresql": "SET lock_timeout = '{:d}ms'"}
"""What ends a migration that waits for a lock, where it then leaves nothing half done.

A migration that waits behind a long transaction has all that come after it wait too: the site.
"""


def milliseconds_or_more(text: str) -> float:
    """Return the seconds. Raises ArgumentTypeError for less than a millisecond."""
    with suppress(ValueError):
        if 0.001 <= (seconds := float(text)) < 1_000_000:
            return seconds
    raise ArgumentTypeError(f"{text!r} is not a number of seconds from 0.001 on.")


class Command(BaseCommand):
    """``manage.py migrate`` that tries again while the database does not answer, or is locked."""

    help = "Migrate as soon as the database answers, and no transaction is in the way."
    requires_system_checks = []  # migrate has its own

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add for how long to try, and for how long to hold up others."""
        parser.add_argument("--seconds", type=float, default=60, help="how long to try: 60")
        parser.add_argument(
            "--lock-seconds",
            type=milliseconds_or_more,
            default=2,
            help="PostgreSQL: how long a migration may wait for a lock, and others for it: 2",
        )

    def handle(self, *, seconds: float, lock_seconds: float, **options: Any) -> None:
        """Migrate. Raises CommandError if that can't be done for so many seconds."""
        self.error: OperationalError | None = None
        self.limit = LIMITS_LOCKS.get(connection.vendor, "").format(int(lock_seconds * 1000))
        try:
            wait_until(self.migrate, seconds, "the database", every=1)
        except TimeoutError:
            raise CommandError(
                f"The database could not be migrated for {seconds:g} s: {self.error}"
            ) from self.error

    def migrate(self) -> bool:
        """Return whether the database is migrated, and neither silent nor locked."""
        try:
            self.limit_locks()
            call_command("migrate", interactive=False, skip_checks=False)
        except OperationalError as error:
            connection.close()
            self.error = error
            self.stderr.write(f"The database can't be migrated yet. It is tried again: {error}")
            return False
        return True

    def limit_locks(self) -> None:
        """Have the connection wait for no lock for long."""
        if self.limit:
            with connection.cursor() as cursor:
                cursor.execute(self.limit)
