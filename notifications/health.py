"""The health check of deliveries: mails that failed or are unconfirmed.

When the server refuses a mail for good, the call that sends it is settled. So the outbox looks well
while mails are lost. Each such delivery is counted and noted until a person has sent it again,
marked it as sent or cancelled it. Many of them within a day are a problem, because a server that
refuses everybody's mail is a fault of the site and not of an address. Deliveries of the last day
that were over a limit are counted and noted too.
"""

from datetime import timedelta

from django.conf import settings
from django.db import router
from django.db.models import Count, Q
from django.db.models.functions import Now

from aftercommit.operations.health_checks import Findings, health_check

from .models import Delivery
from .operations import HELD

RECENT = timedelta(days=1)
LIMITED = Delivery.Status.LIMITED


@health_check("deliveries")
def check_deliveries(using: str) -> Findings | None:
    """Return how many deliveries failed or are unconfirmed. Return None for another database."""
    if using != router.db_for_write(Delivery):
        return None
    is_recent = Q(created_at__gte=Now() - RECENT)
    counted = Q(status__in=HELD) | Q(is_recent, status=LIMITED)
    rows = Delivery.objects.using(using).filter(counted).order_by().values_list("status")
    annotated = rows.annotate(count=Count("pk"), recent=Count("pk", filter=is_recent))
    counts = {status: (count, recent) for status, count, recent in annotated}
    limited, _ = counts.pop(LIMITED.value, (0, 0))
    figures = {status.value: counts.get(status.value, (0, 0))[0] for status in HELD}
    notes = [_note(using, status, count) for status, count in figures.items() if count]
    return Findings(
        figures | {LIMITED.value: limited},
        problems=_problems(using, sum(new for _, new in counts.values())),
        notes=[*notes, *_notes_of_limits(using, limited)],
    )


def max_failed() -> float:
    """Return how many may fail or be unconfirmed in a day: ``NOTIFICATIONS_MAX_FAILED``."""
    limit: float = getattr(settings, "NOTIFICATIONS_MAX_FAILED", 20)
    return limit


def _notes_of_limits(using: str, limited: int) -> list[str]:
    if not limited:
        return []
    return [
        f"Deliveries of the last 24 hours in {using!r} that were over a limit: {limited}. Their "
        "errors in the admin say which limit, and whose. See whether somebody floods the site, or "
        "whether the limit is too low."
    ]


def _note(using: str, status: str, count: int) -> str:
    return (
        f"Deliveries in {using!r} that are {status}: {count}. Look at their errors in the admin; "
        "then send them again, mark them as sent or cancel them."
    )


def _problems(using: str, recent: int) -> list[str]:
    if recent <= max_failed():
        return []
    return [
        f"Of the deliveries of the last 24 hours in {using!r}, {recent} failed or are unconfirmed, "
        f"over the limit of {max_failed():g}. See what the mail server says: their errors are in "
        "the admin. Once they are sent again, marked as sent or cancelled, they no longer count."
    ]
