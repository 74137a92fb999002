"""What an operator does with deliveries: send them again, mark them as sent, cancel them.

A worker that sends a delivery at this moment changes its status by compare-and-set, as it is done
here. Whoever is first wins, and the other leaves the delivery as it is.
"""

from collections.abc import Iterator, Sequence
from functools import partial

from django.db import router, transaction
from django.db.models import QuerySet

from aftercommit.operations.operation import Operation, no_warning
from aftercommit.signals import rows_operated

from .models import Delivery
from .tasks import send_delivery

Status = Delivery.Status

HELD = (Status.FAILED, Status.UNCERTAIN)
"""The statuses that wait for a person."""


def held(deliveries: QuerySet[Delivery]) -> QuerySet[Delivery]:
    """Return those of the deliveries that failed or are uncertain."""
    return deliveries.filter(status__in=HELD)


def held_or_pending(deliveries: QuerySet[Delivery]) -> QuerySet[Delivery]:
    """Return those of the deliveries that failed, are uncertain or wait to be sent."""
    return deliveries.filter(status__in=(*HELD, Status.PENDING))


def settle_unsent(ids: Sequence[int], reason: str) -> None:
    """Settle the deliveries whose calls were taken from the outbox: nothing else will.

    One that was not begun is cancelled, and one that was begun is uncertain.
    """
    using = router.db_for_write(Delivery)
    outcomes = ((Status.SENDING, Status.UNCERTAIN), (Status.PENDING, Status.CANCELLED))
    with transaction.atomic(using=using):
        rows = Delivery.objects.using(using).filter(pk__in=ids).order_by("pk").select_for_update()
        for before, after in outcomes:
            if found := list(rows.filter(status=before)):
                _move(after, using, found, error=reason)


def _move(status: Status, using: str, deliveries: Sequence[Delivery], **fields: str) -> None:
    """Give the deliveries, which are locked, this status, and tell of it."""
    rows = Delivery.objects.using(using).filter(pk__in=[each.pk for each in deliveries])
    rows.update(status=status, **fields)
    values = {"status": status.value}
    rows_operated.send(Delivery, rows=deliveries, values=values, using=using)


def _send_again(using: str, deliveries: Sequence[Delivery]) -> None:
    _move(Status.PENDING, using, deliveries)
    for delivery in deliveries:
        call = {"delivery_id": delivery.pk}
        send_delivery.apply_async_on_commit(kwargs=call, using=using)


def _warn_of_second_mail(deliveries: QuerySet[Delivery]) -> Iterator[str]:
    if uncertain := deliveries.filter(status=Status.UNCERTAIN).count():
        yield (
            f"Uncertain: {uncertain:,}. Each may have gone out already, and then its recipient "
            "gets the mail a second time. The mail server's log may say so, by the Message-ID."
        )


def _warn_of_sent_mail(deliveries: QuerySet[Delivery]) -> Iterator[str]:
    if uncertain := deliveries.filter(status=Status.UNCERTAIN).count():
        yield f"Uncertain: {uncertain:,}. Each may have gone out already, which nothing undoes."


SEND_AGAIN = Operation(
    model=Delivery,
    nouns=("delivery", "deliveries"),
    question="Send {} again",
    done="will be sent again",
    effect="Each is sent as soon as a worker is free, to the address and under the Message-ID on "
    "record.",
    only="Only failed and uncertain deliveries can be sent again. A pending one is sent by its "
    "call in the outbox, and a cancelled one stays cancelled.",
    group_by=("kind", "status"),
    accept=held,
    step=_send_again,
    warn=_warn_of_second_mail,
)
MARK_SENT = Operation(
    model=Delivery,
    nouns=("delivery", "deliveries"),
    question="Mark {} as sent",
    done="marked as sent",
    effect="Each counts as sent, and no mail goes out. The time of sending stays empty: nobody "
    "knows it.",
    only="Only failed and uncertain deliveries can be marked as sent.",
    group_by=("kind", "status"),
    accept=held,
    step=partial(_move, Status.SENT),
    warn=no_warning,
)
CANCEL = Operation(
    model=Delivery,
    nouns=("delivery", "deliveries"),
    question="Cancel {}",
    done="cancelled",
    effect="None is sent, now or later: a cancelled delivery can't be sent again.",
    only="Only failed, uncertain and pending deliveries can be cancelled. One that is being sent "
    "can't be stopped.",
    group_by=("kind", "status"),
    accept=held_or_pending,
    step=partial(_move, Status.CANCELLED),
    warn=_warn_of_sent_mail,
)
