"""The operations on deliveries: send them again, mark them as sent, cancel them.

A worker that sends a delivery at this moment changes its status only if it is still the one that
the worker read, as is done here. Whoever is first wins, and the other leaves the delivery alone.
"""

from collections.abc import Iterator, Sequence
from functools import partial

from django.db import router, transaction
from django.db.models import QuerySet

from aftercommit.operations.operation import Operation, accept_status
from aftercommit.signals import rows_operated

from .models import Delivery
from .tasks import send_delivery

Status = Delivery.Status

HELD = (Status.FAILED, Status.UNCONFIRMED)
"""The statuses of deliveries that wait for a person."""


def settle_unsent(ids: Sequence[int], reason: str) -> None:
    """Settle the deliveries whose calls were taken from the outbox, since nothing else will.

    A delivery that was not begun is cancelled. A delivery that was begun is unconfirmed.
    """
    using = router.db_for_write(Delivery)
    outcomes = ((Status.SENDING, Status.UNCONFIRMED), (Status.PENDING, Status.CANCELLED))
    with transaction.atomic(using=using):
        rows = Delivery.objects.using(using).filter(pk__in=ids).order_by("pk").select_for_update()
        for before, after in outcomes:
            if found := list(rows.filter(status=before)):
                _set_status(after, using, found, error=reason)


def _set_status(status: Status, using: str, deliveries: Sequence[Delivery], **fields: str) -> None:
    """Give the deliveries, which are locked, this status. Sends ``rows_operated``."""
    rows = Delivery.objects.using(using).filter(pk__in=[each.pk for each in deliveries])
    rows.update(status=status, **fields)
    values = {"status": status.value}
    rows_operated.send(Delivery, rows=deliveries, values=values, using=using)


def _send_again(using: str, deliveries: Sequence[Delivery]) -> None:
    _set_status(Status.PENDING, using, deliveries)
    for delivery in deliveries:
        send_delivery.using(using).delay_on_commit(delivery_id=delivery.pk)


def _warn_of_second_mail(deliveries: QuerySet[Delivery]) -> Iterator[str]:
    if unconfirmed := deliveries.filter(status=Status.UNCONFIRMED).count():
        yield (
            f"Unconfirmed: {unconfirmed:,}. Each may have gone out already, and then its recipient "
            "gets the mail a second time. The mail server's log may say so, by the Message-ID."
        )


def _warn_of_sent_mail(deliveries: QuerySet[Delivery]) -> Iterator[str]:
    if unconfirmed := deliveries.filter(status=Status.UNCONFIRMED).count():
        yield f"Unconfirmed: {unconfirmed:,}. Each may have gone out already: nothing undoes that."


delivery_operation = partial(
    Operation, model=Delivery, nouns=("delivery", "deliveries"), group_by=("kind", "status")
)

SEND_AGAIN = delivery_operation(
    question="Send {} again",
    done="will be sent again",
    effect="Each is sent as soon as a worker is free, if it is still wanted. It goes to the "
    "address that its recipient has verified by then, under the Message-ID on record.",
    restriction="Only failed and unconfirmed deliveries can be sent again. A pending one is sent "
    "by its call in the outbox, and a cancelled one stays cancelled.",
    accept=accept_status(*HELD),
    change=_send_again,
    warn=_warn_of_second_mail,
)
MARK_SENT = delivery_operation(
    question="Mark {} as sent",
    done="marked as sent",
    effect="Each counts as sent, and no mail goes out. The time of sending stays empty: nobody "
    "knows it.",
    restriction="Only failed and unconfirmed deliveries can be marked as sent.",
    accept=accept_status(*HELD),
    change=partial(_set_status, Status.SENT),
)
CANCEL = delivery_operation(
    question="Cancel {}",
    done="cancelled",
    effect="None is sent, now or later: a cancelled delivery can't be sent again.",
    restriction="Only failed, unconfirmed and pending deliveries can be cancelled. One that is "
    "being sent can't be stopped.",
    accept=accept_status(*HELD, Status.PENDING),
    change=partial(_set_status, Status.CANCELLED),
    warn=_warn_of_sent_mail,
)
