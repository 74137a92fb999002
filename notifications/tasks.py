"""The tasks that record mails for the people who are told of something, and that send them."""

from collections.abc import Iterable, Iterator, Sequence

from celery import shared_task
from django.contrib.auth.models import User
from django.db.models import QuerySet

from aftercommit.call import Call
from aftercommit.context import current
from content.models import Article

from .announcing import begin_round
from .deliveries import create_deliveries
from .digests import digest_seconds, gather, stop_gathering
from .models import Delivery, Follow, Kind
from .sending import send

PAGE_SIZE = 500
LIMIT_SECONDS = 600
"""The seconds that a digest waits whose recipient has had too many mails, before the next try."""


@shared_task
def notify_followers(article_id: int, event_id: str = "", again: bool = False) -> None:
    """Record a mail for each follower of the article's author or category, and have it sent.

    That happens once for an article. ``again`` has it happen once more, after a day at least.
    ``event_id`` is what an earlier version told two publications apart by.
    """
    published = Article.objects.published().select_related("author__user")
    article = published.filter(pk=article_id, author__user__is_active=True).first()
    number = None if article is None else begin_round(article, again)
    if article is None or number is None:
        return
    event = f"{article.pk}:{number}"
    for users in pages(_to_be_told(article)):
        made = create_deliveries(Kind.ARTICLE_PUBLISHED, event, users, article=article)
        have_sent(made)


@shared_task(batch=True)
def notify_comment_author(calls: Sequence[Call]) -> None:
    """Have the authors told of comments on their articles, each author by one mail in a while.

    Each call has ``comment_id``.
    """
    begun = gather([call.kwargs["comment_id"] for call in calls])
    have_sent(begun, countdown=digest_seconds())


# With Celery's backoff 24 retries take about two hours, in which a mail server can come back.
@shared_task(atomic=False, reject_on_worker_lost=True, max_retries=24)
def send_delivery(delivery_id: int) -> None:
    """Send the mail. It runs again after a lost worker: the delivery says how far that came."""
    related = ("recipient", "article__author__user", "article__category")
    found = Delivery.objects.select_related(*related).filter(pk=delivery_id).order_by()
    delivery = next(iter(found), None)
    if delivery is None:
        return
    if stop_gathering(delivery):
        send(delivery)
    else:
        have_sent([delivery], countdown=LIMIT_SECONDS)


def have_sent(deliveries: Iterable[Delivery], countdown: float = 0) -> None:
    """Have each pending delivery sent once this is committed, after ``countdown`` seconds."""
    for delivery in deliveries:
        if delivery.status == Delivery.Status.PENDING:
            kwargs = {"delivery_id": delivery.pk}
            send_delivery.apply_async_on_commit(kwargs=kwargs, countdown=countdown or None)


def _to_be_told(article: Article) -> QuerySet[User]:
    """Return the followers who want such mails, without the user who published the article."""
    wanting = Follow.objects.followers(article).exclude(mutes__kind=Kind.ARTICLE_PUBLISHED)
    actor = current().actor_id
    return (wanting.exclude(pk=actor) if actor else wanting).only("is_active")


def pages(users: QuerySet[User]) -> Iterator[list[User]]:
    """Yield the users, ordered by primary key, in lists of at most ``PAGE_SIZE``."""
    last = 0
    while page := list(users.filter(pk__gt=last)[:PAGE_SIZE]):
        yield page
        last = page[-1].pk
