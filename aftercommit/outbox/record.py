"""The values that the row of a new call will have."""

from datetime import datetime
from os import getpid

from aftercommit.call import Identified
from aftercommit.outbox import ids


class CallRecord(Identified):
    """A call that a request makes, as its row will say it."""

    __slots__ = (
        "countdown",
        "eta",
        "is_due",
        "payload",
        "pk",
        "raw_context",
        "stored",
        "task",
        "using",
    )

    def __init__(
        self,
        task: str,
        payload: str,
        raw_context: str,
        using: str,
        countdown: float | None = None,
        eta: datetime | None = None,
    ) -> None:
        # As new_id() does: to call it would be a Python call more for each effect.
        self.pk = next(ids.sequence if getpid() == ids.owner else ids.begin_anew())
        self.task = task
        self.payload = payload
        self.raw_context = raw_context
        self.using = using
        self.countdown = countdown
        self.eta = eta
        # True if the call can run as soon as it is committed. An attribute and no property, because
        # a request asks for it three times.
        self.is_due = not countdown and eta is None
        self.stored = False
