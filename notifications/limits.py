"""The limits of mails: what one sender can cause, and what one recipient gets.

A limit of a sender counts articles or comments, whatever the number of their recipients. What is
over a limit is never dropped silently. A delivery with the status "limited" says so, and so do the
log and the health check.
"""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, Q
from django.utils import timezone

from .models import Delivery, Kind

logger = logging.getLogger(__name__)

PERIODS = {"hour": timedelta(hours=1), "day": timedelta(days=1)}
DEFAULTS = {
    "NOTIFICATIONS_ARTICLES_PER_HOUR": 10,
    "NOTIFICATIONS_ARTICLES_PER_DAY": 40,
    "NOTIFICATIONS_COMMENTS_PER_HOUR": 60,
    "NOTIFICATIONS_COMMENTS_PER_DAY": 300,
    "NOTIFICATIONS_MAILS_PER_HOUR": 30,
    "NOTIFICATIONS_MAILS_PER_DAY": 150,
}
REFUSED = (Delivery.Status.SKIPPED, Delivery.Status.LIMITED, Delivery.Status.CANCELLED)
"""The statuses of mails that were not sent, and don't count."""
NOUNS = {
    "articles": "articles of one author that followers are told of",
    "comments": "comments of one user that authors are told of",
    "mails": "mails to one recipient",
}


def limit(what: str, period: str) -> int:
    """Return how many articles, comments or mails (``what``) are allowed in an hour or a day."""
    name = f"NOTIFICATIONS_{what}_PER_{period}".upper()
    allowed: int = getattr(settings, name, DEFAULTS[name])
    return allowed


def counts(field: str, at: datetime) -> dict[str, Count]:
    """Return annotations that count the rows of each period that ends at this time."""
    return {
        period: Count("pk", filter=Q(**{f"{field}__gt": at - length, f"{field}__lte": at}))
        for period, length in PERIODS.items()
    }


def room(what: str, counted: Mapping[str, int]) -> int:
    """Return how many more are within both limits. It is 0 or less if one of them is reached."""
    return min(limit(what, period) - counted[period] for period in PERIODS)


def reason_over(what: str, counted: Mapping[str, int]) -> str:
    """Return the sentence that says which limit is reached, or ""."""
    for period in PERIODS:
        if counted[period] >= (allowed := limit(what, period)):
            return f"Over the limit of {allowed} {NOUNS[what]} in one {period}."
    return ""


def reason_recipient(delivery: Delivery, at: datetime) -> str:
    """Return why the recipient of the delivery gets no other mail at this time, or ""."""
    since = Delivery.objects.filter(recipient=delivery.recipient_id).order_by()
    since = since.filter(created_at__gt=at - PERIODS["day"], created_at__lte=at)
    others = since.exclude(pk=delivery.pk).exclude(status__in=REFUSED)
    # Most recipients have had few mails. To count those of each period costs twice as much.
    if others.count() < min(limit("mails", period) for period in PERIODS):
        return ""
    return reason_over("mails", others.aggregate(**counts("created_at", at)))


def record_limited(kind: Kind, sender: str, reason: str, **about: Any) -> None:
    """Record, once an hour for each sender and kind, that nobody is told because of a limit."""
    logger.warning("%s: %s Nobody is told.", sender, reason)
    now = timezone.now()
    Delivery.objects.get_or_create(
        key=f"{kind}:limited:{sender}:{now:%Y%m%d%H}",
        defaults={"kind": kind, "status": Delivery.Status.LIMITED, "error": f"{sender}: {reason}"}
        | about,
    )
