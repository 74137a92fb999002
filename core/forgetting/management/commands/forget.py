"""``manage.py forget USER``: remove a person's data from everywhere."""

import sys
from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from aftercommit.context import Context, use
from aftercommit.management.system_user import system_user
from aftercommit.printable import escape_controls, make_printable
from core.forgetting.closing import LastSuperuser
from core.forgetting.find import find_users, person_of
from core.forgetting.forget import StillWritten, count_places, forget
from core.forgetting.person import Person


class Command(BaseCommand):
    """Removes a person's data from everywhere."""

    help = (
        "Remove a person's data from everywhere: the user, what they wrote, their sessions, mails, "
        "their name in the logs and in the outbox. After an interruption run it again: it goes on."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the user and the options."""
        parser.add_argument("user", metavar="USER", help="a name, an address, an id or #id")
        parser.add_argument(
            "--keep-articles",
            action="store_true",
            help="leave what is published, without the author's name; drafts are deleted",
        )
        parser.add_argument("--dry-run", action="store_true", help="only show what there is")
        parser.add_argument(
            "--no-input",
            action="store_false",
            dest="interactive",
            help="don't ask (needed without a terminal)",
        )

    def handle(
        self, *, user: str, keep_articles: bool, dry_run: bool, interactive: bool, **options: Any
    ) -> None:
        """Show what there is, ask, and remove it."""
        person = person_of(_find(user), keep_articles)
        if dry_run or interactive:
            self._say(f"User #{person.user_id}, {person.name}")
            self._show(count_places(person))
        if dry_run:
            self._say("Nothing was changed.")
            return
        if interactive:
            _confirm(person)
        with use(Context(actor=system_user())):
            self._show(_forget(person))
        self._say(f"User #{person.user_id} is forgotten.")

    def _show(self, counts: Mapping[str, int]) -> None:
        for name, count in counts.items():
            if count:
                self._say(f"  {name}: {count:,}")

    def _say(self, text: str) -> None:
        self.stdout.write(escape_controls(text))


def _find(text: str) -> User:
    users = list(find_users(text)[:10])
    if len(users) == 1:
        return users[0]
    if users:
        ids = ", ".join(f"#{user.pk}" for user in users)
        raise CommandError(f"Several users have {make_printable(text)!r}: {ids}. Give one's id.")
    raise CommandError(
        f"No user has the name, the address or the id {make_printable(text)!r}. See the users in "
        "the admin."
    )


def _forget(person: Person) -> Mapping[str, int]:
    try:
        return forget(person)
    except LastSuperuser as error:
        raise CommandError(
            f"Nothing was changed: user #{person.user_id} is the last superuser. Make another one "
            "first, with 'manage.py createsuperuser'."
        ) from error
    except StillWritten as error:
        raise CommandError(
            f"Calls or log entries of user #{person.user_id} are still being written. What was "
            "found is removed; run the command again."
        ) from error


def _confirm(person: Person) -> None:
    if not (sys.stdin and sys.stdin.isatty()):
        raise CommandError("Nothing was changed: nobody is here to confirm. Add --no-input.")
    try:
        answer = input(f"Forget user #{person.user_id} for good? [y/N] ")
    except EOFError:
        answer = ""
    if answer.strip().lower() not in ("y", "yes"):
        raise CommandError("Nothing was changed.")
