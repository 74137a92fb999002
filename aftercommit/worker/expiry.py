"""Keep a call from running that is too late: its ``expires`` is over."""

from datetime import datetime, timedelta
from typing import Any

from django.db import connections
from django.db.models.functions import Now

from aftercommit.call import Call
from aftercommit.db.vendors import outbox_ops
from aftercommit.worker.loading import rows_of


class Expired(Exception):
    """The call is too late, so that nothing was run."""


def check_expiry(call: Call, expires: Any) -> None:
    """Raise Expired if the call is too late, by the database's clock.

    ``expires`` is a datetime, or a number of seconds after the commit.
    """
    rows = rows_of(call).annotate(now=Now())
    if isinstance(expires, datetime):
        ops = outbox_ops(connections[call.using])
        late = rows.filter(now__gte=ops.as_stored(expires))
    else:
        late = rows.filter(created_at__lte=Now() - timedelta(seconds=expires))
    if late.exists():
        raise Expired(f"{call.task}[{call}]: not run, since it expired (expires={expires})")
