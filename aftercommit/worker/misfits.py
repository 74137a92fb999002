"""Decide what becomes of a call whose arguments this code's function doesn't take.

Such a call waits for a worker whose function takes them, OUTBOX_UNKNOWN_TASK_GRACE seconds long: a
deploy may be under way. After that it is a dead letter.
"""

from dataclasses import dataclass
from typing import Any

from django.db.models import DurationField, ExpressionWrapper, F
from django.db.models.functions import Now

from aftercommit.call import Call
from aftercommit.conf import conf
from aftercommit.models import OutboxCall
from aftercommit.worker.announced_tasks import announced_signatures, describe_signature

FIRST_DELAY = 1.0
"""Seconds until a misfit is tried for the second time."""

WAITED = ExpressionWrapper(Now() - F("misfit_since"), output_field=DurationField())


@dataclass(frozen=True)
class Misfit:
    """The decision about a call whose arguments this code's function doesn't take."""

    text: str
    seconds: float | None = None
    """The time until the next try. None if the call has waited enough: then it is a dead letter."""


def decide_misfit(using: str, call: Call, task: Any, error: BaseException) -> Misfit:
    """Put a misfit off, or make it a dead letter if it has waited for its whole time.

    The time counts from the first try that found the call not to fit. Each pause is a tenth of the
    time waited so far, so that many misfits keep no worker busy.
    """
    row = OutboxCall.objects.using(using).filter(pk=call.pk)
    row.filter(misfit_since=None).update(misfit_since=Now())
    waited = row.annotate(waited=WAITED).values_list("waited", flat=True).first()
    grace = conf().UNKNOWN_TASK_GRACE
    seconds = waited.total_seconds() if waited is not None else 0.0
    if seconds < grace:
        text = f"It waits for a worker whose code takes its arguments. Here: {error}"
        return Misfit(text, max(FIRST_DELAY, seconds / 10))
    row.update(misfit_since=None)  # After an operator's retry the call waits anew.
    return Misfit(_explain(using, call, task, error, grace))


def _explain(using: str, call: Call, task: Any, error: BaseException, grace: float) -> str:
    others = ", ".join(announced_signatures(using, call.task)) or "none"
    return (
        f"{error}\n\nThe call was made by another version of the code, and for {grace:g} seconds "
        f"no worker had one that takes its arguments.\n"
        f"The call's arguments: {call.payload[:500]}\n"
        f"What {call.task} takes here: {describe_signature(task) or '(any)'}\n"
        f"What it takes in the workers that live: {others}\n"
        "Give the function default values, or **old, so that it takes the call; then retry the "
        "call, or discard it."
    )
