"""Links in mails that end such mails, without a log-in (RFC 8058).

A token names the user, the kind of mail, and what was followed. Its signature has a salt of its
own, so that it can't be used for anything else, and nothing else in its place. It has no end: a
link in an old mail still works.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from django.conf import settings
from django.contrib.auth.models import User
from django.core.signing import BadSignature, Signer
from django.urls import reverse

from content.models import Author, Category

from .models import Follow, Kind, Mute


@dataclass(frozen=True)
class Subscription:
    """The mails that a link ends: of one kind, or about one author and one category."""

    user: int
    kind: str
    author: int | None = None
    category: int | None = None

    @classmethod
    def of(cls, user: User, follows: Iterable[Follow]) -> Self:
        """Return the subscription that the user's follows of an article are."""
        pairs = [(each.author_id, each.category_id) for each in follows]
        author = next((author for author, _ in pairs if author), None)
        category = next((category for _, category in pairs if category), None)
        return cls(user.pk, Kind.ARTICLE_PUBLISHED, author, category)

    @classmethod
    def read(cls, token: str) -> Self | None:
        """Return the subscription of a token. Return None for a forged one, or without its user."""
        try:
            user, kind, author, category = _signer().unsign(token).split(".")
            found = cls(int(user), Kind(kind).value, int(author) or None, int(category) or None)
        except (BadSignature, ValueError):
            return None
        return found if User.objects.filter(pk=found.user).exists() else None

    @property
    def token(self) -> str:
        """Return the signed text that stands for this subscription in a link."""
        parts = (self.user, self.kind, self.author or 0, self.category or 0)
        return _signer().sign(".".join(str(part) for part in parts))

    @property
    def url(self) -> str:
        """Return the whole address of the link."""
        return settings.SITE_URL.rstrip("/") + reverse("unsubscribe", args=[self.token])

    @property
    def names(self) -> list[str]:
        """Return the names of the author and the category, as far as they are there."""
        authors = Author.objects.filter(pk__in=[self.author or 0]).select_related("user")
        categories = Category.objects.filter(pk__in=[self.category or 0])
        return [str(each) for each in (*authors, *categories)]

    def end(self) -> None:
        """Have no more such mails sent. Does nothing if that was done before."""
        if self.kind == Kind.ARTICLE_PUBLISHED:
            follows = Follow.objects.filter(user=self.user)
            follows.filter(author__isnull=False, author=self.author).delete()
            follows.filter(category__isnull=False, category=self.category).delete()
        else:
            Mute.objects.get_or_create(user_id=self.user, kind=self.kind)


def _signer() -> Signer:
    # One that is made at import would miss a key that a test sets.
    return Signer(salt="notifications.unsubscribe", sep="~")
