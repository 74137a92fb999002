"""Migrate, and wait for the database first: a container of it may still start, or start again."""

from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand, CommandError, call_command
from django.db import OperationalError, connection

from core.stack.waiting import wait_until


class Command(BaseCommand):
    """``manage.py migrate`` that tries again while the database does not answer."""

    help = "Migrate as soon as the database answers."
    requires_system_checks = []  # migrate has its own

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add for how long to try."""
        parser.add_argument("--seconds", type=float, default=60, help="how long to try: 60")

    def handle(self, *, seconds: float, **options: Any) -> None:
        """Migrate. Raises CommandError if the database gives no answer for so many seconds."""
        self.error: OperationalError | None = None
        try:
            wait_until(self.migrate, seconds, "the database", every=1)
        except TimeoutError:
            raise CommandError(
                f"The database did not answer for {seconds:g} s: {self.error}"
            ) from self.error

    def migrate(self) -> bool:
        """Return whether the database answered, and is migrated."""
        try:
            call_command("migrate", interactive=False, skip_checks=False)
        except OperationalError as error:
            connection.close()
            self.error = error
            self.stderr.write(f"The database does not answer, and is asked again: {error}")
            return False
        return True
