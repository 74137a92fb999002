"""Find the person to forget: by name, by id or by address."""

from collections.abc import Callable, Iterable

from django.contrib.auth.models import User
from django.db.models import BigAutoField, Q, QuerySet

from core.forgetting.person import Person

Addresses = Callable[[User], Iterable[str]]

_addresses: list[Addresses] = []


def also_has(addresses: Addresses) -> None:
    """Have the person be known by these addresses, too: those that the user once had."""
    _addresses.append(addresses)


def person_of(user: User, keeps_articles: bool = False) -> Person:
    """Return the person behind the user."""
    former = [each for find in _addresses for each in find(user)]
    return Person.of(user, former, keeps_articles)


def find_users(text: str) -> QuerySet[User]:
    """Return the users with this name, id or address, in any case. ``#17`` is an id alone."""
    by_id = _by_id(text.removeprefix("#"))
    if text.startswith("#"):
        return User.objects.filter(by_id)
    by_address = Q(email__iexact=text) | Q(emailaddress__email__iexact=text)
    return (
        User.objects.filter(by_id | by_address | Q(username__iexact=text)).order_by("pk").distinct()
    )


def _by_id(text: str) -> Q:
    is_id = text.isascii() and text.isdecimal() and int(text) <= BigAutoField.MAX_BIGINT
    return Q(pk=int(text)) if is_id else Q(pk__in=[])
