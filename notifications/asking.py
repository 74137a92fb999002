"""Ask right before a mail is sent, at each attempt, whether it is still due, and for what."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import User

from content.models import Article
from core.accounts.addresses import loaded_address

from .deliveries import reason_unreachable
from .digests import comments_of
from .limits import reason_recipient
from .models import Delivery, Follow, Kind, Mute
from .unsubscribing import Subscription

SHOWN = 20
"""The most comments that one mail shows. It says how many more there are."""


class Unwanted(Exception):
    """The mail is not to be sent. The text is the reason."""

    status = Delivery.Status.SKIPPED


class OverLimit(Unwanted):
    """The mail is not to be sent, because its recipient has had too many."""

    status = Delivery.Status.LIMITED


@dataclass(frozen=True)
class Letter:
    """What a mail is made of, as of now."""

    address: str
    subscription: Subscription
    context: dict[str, Any] = field(default_factory=dict)


def ask(delivery: Delivery) -> Letter:
    """Return what the mail is made of. Raises Unwanted if it is not to be sent."""
    recipient, address = _ask_recipient(delivery)
    if delivery.kind == Kind.COMMENT_POSTED:
        return _ask_comments(delivery, recipient, address)
    return _ask_article(delivery, recipient, address)


def _ask_recipient(delivery: Delivery) -> tuple[User, str]:
    """Return the recipient and the address that the recipient has now."""
    user = delivery.recipient
    address = (loaded_address(user) or "") if user is not None else ""
    reason = reason_unreachable(user, address)
    if user is None or reason:
        raise Unwanted(reason)
    if Mute.objects.filter(user=user, kind=delivery.kind).exists():
        raise Unwanted("The recipient doesn't want mails of this kind.")
    return user, address


def _ask_article(delivery: Delivery, recipient: User, address: str) -> Letter:
    article = _ask_publication(delivery)
    if article.author.user_id == recipient.pk:
        raise Unwanted("The recipient is the author.")
    follows = _follows(article, recipient)
    if not follows:
        raise Unwanted("The recipient no longer follows the author or the category.")
    if reason := reason_recipient(delivery, delivery.created_at):
        raise OverLimit(reason)
    subscription = Subscription.of(recipient, follows)
    return Letter(address, subscription, {"article": article, "follows": follows})


def _ask_publication(delivery: Delivery) -> Article:
    article = delivery.article
    if article is None:
        raise Unwanted("The article is gone.")
    if not article.is_published:
        raise Unwanted("The article is no longer published.")
    if not article.author.user.is_active:
        raise Unwanted("The author's account is inactive.")
    return article


def _follows(article: Article, recipient: User) -> Sequence[Follow]:
    """Return why the recipient gets the mail: one or two follows, that of the author first."""
    follows = Follow.objects.about(article).filter(user=recipient)
    for follow in (found := list(follows)):
        # They are loaded with the article. To join them once more costs as much as the query.
        follow.author = article.author if follow.author_id else None
        follow.category = article.category if follow.category_id else None
    return sorted(found, key=lambda follow: follow.author_id is None)


def _ask_comments(delivery: Delivery, recipient: User, address: str) -> Letter:
    comments = comments_of(delivery)
    shown = list(comments[:SHOWN])
    if not shown:
        raise Unwanted("No comment is left to tell of.")
    count = len(shown) if len(shown) < SHOWN else comments.count()
    last = shown[-1] if count == len(shown) else comments.reverse()[0]  # they are by article
    one = last.article_id == shown[0].article_id
    about = {"comments": shown, "count": count, "more": count - len(shown)}
    context = about | {"article": last.article if one else None}
    return Letter(address, Subscription(recipient.pk, Kind.COMMENT_POSTED), context)
