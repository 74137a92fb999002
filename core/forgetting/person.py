"""The person whose data is removed, and the words by which they are found in texts."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from allauth.account.models import EmailAddress
from django.contrib.auth.models import User
from django.db.models.functions import Lower

DELETED = "a deleted user"
"""The name of a person who was forgotten, where a name has to stay."""


@dataclass(frozen=True)
class Person:
    """A user, as texts name them."""

    user_id: int
    name: str
    addresses: frozenset[str]
    keeps_articles: bool = False
    """True if the published articles stay, without their author's name."""

    rows: dict[str, set[str]] = field(default_factory=dict, compare=False)
    """The keys of the rows that are known to be theirs, by the model's label."""

    @classmethod
    def of(
        cls, user: User, addresses: Iterable[str] = (), keeps_articles: bool = False
    ) -> "Person":
        """Return the person behind the user. ``addresses`` are others that they had."""
        known = EmailAddress.objects.filter(user=user).values_list("email", flat=True)
        found = {each.lower() for each in (user.email, *known, *addresses) if each}
        found -= _of_others(user, found)
        return cls(user.pk, user.get_username(), frozenset(found), keeps_articles)

    def is_in(self, text: str | None) -> bool:
        """Return whether the text has the person's name, as a word, or an address of theirs."""
        return bool(text and _words(self.addresses | {self.name}).search(text))

    def redact(self, value: Any, name: bool = False) -> Any:
        """Return plain data with "a deleted user" for the person's addresses in its texts.

        With ``name=True`` so is a text that is their name and nothing else. A name within a text
        can be any word.
        """
        if isinstance(value, str):
            return DELETED if name and value == self.name else self._without_addresses(value)
        if isinstance(value, list):
            return [self.redact(each, name) for each in value]
        if isinstance(value, dict):
            return {key: self.redact(each, name) for key, each in value.items()}
        return value

    def _without_addresses(self, text: str) -> str:
        has_any = self.addresses and "@" in text
        return _words(self.addresses).sub(DELETED, text) if has_any else text


def is_actor(person: Person, actor_id: Any, actor: Any) -> bool:
    """Return whether the person is the actor. A user of another id can have had their name."""
    if actor_id:
        return str(actor_id) == str(person.user_id)
    return bool(actor == person.name)


def _of_others(user: User, addresses: set[str]) -> set[str]:
    """Return those of the addresses that are another's. Anybody can sign up with a stranger's."""
    rows = EmailAddress.objects.filter(email__in=addresses, verified=True).exclude(user=user)
    users = User.objects.alias(small=Lower("email")).filter(small__in=addresses)
    made = users.filter(emailaddress=None).exclude(pk=user.pk)  # by an operator
    return {*rows.values_list("email", flat=True), *made.values_list(Lower("email"), flat=True)}


@cache
def _words(words: frozenset[str]) -> re.Pattern[str]:
    either = "|".join(re.escape(each) for each in sorted(words, key=len, reverse=True))
    return re.compile(rf"(?<![\w.@+-])(?:{either})(?![\w@+-])", re.IGNORECASE)
