"""``manage.py verify_address``: an operator says that addresses are their users'."""

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db.models import QuerySet

from core.accounts.addresses import mark_verified, verified_addresses


class Command(BaseCommand):
    """Take the addresses of users as verified."""

    help = (
        "Take the addresses of these users as verified, so that the site sends them mail. Do it "
        "only if you know that each address is the user's."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the names of the users, or all of them."""
        whom = parser.add_mutually_exclusive_group(required=True)
        whom.add_argument("name", nargs="*", default=[], help="whose address is verified")
        whom.add_argument("--all", action="store_true", help="every active user's that has one")

    def handle(self, *args: Any, **options: Any) -> None:
        """Mark the addresses, and say which could not be."""
        refused = [*self._mark(self._users(options))]
        if refused:
            raise CommandError("\n".join(refused))

    def _users(self, options: dict[str, Any]) -> QuerySet[User]:
        if options["all"]:
            return User.objects.filter(is_active=True).exclude(email="").order_by("pk")
        users = User.objects.filter(username__in=options["name"])
        missing = {*options["name"]} - {*users.values_list("username", flat=True)}
        if missing:
            raise CommandError(f"There is no user {', '.join(sorted(missing))}.")
        return users

    def _mark(self, users: QuerySet[User]) -> Any:
        for user in users.iterator():
            if verified_addresses([user.pk]):
                continue
            try:
                mark_verified(user)
            except ValidationError as error:
                yield error.message
            else:
                self.stdout.write(f"{user.username}: {user.email} is verified.")
