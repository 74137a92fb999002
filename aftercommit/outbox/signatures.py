"""``delay_on_commit`` and ``apply_async_on_commit`` of Celery's signatures, of a canvas too.

Celery has these for tasks alone. They are added to its class, as Celery's copies of a signature are
of that class again.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from celery.canvas import Signature

from aftercommit.outbox.calling import start_on_commit
from aftercommit.outbox.pending import PendingCall


def delay_on_commit(signature: Any, *args: Any, **kwargs: Any) -> PendingCall:
    """Have the signature started, with these arguments first, if the transaction commits."""
    return apply_async_on_commit(signature, args, kwargs)


def apply_async_on_commit(
    signature: Any,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    using: str | None = None,
    **options: Any,
) -> PendingCall:
    """Have the signature started if the current transaction of database ``using`` commits.

    See ``start_on_commit``; ``options`` are those of ``call_on_commit``.
    """
    return start_on_commit(signature.clone(**options), using, args, kwargs)


def extend_signatures() -> None:
    """Give Celery's signatures the two methods."""
    signature: Any = Signature
    signature.delay_on_commit = delay_on_commit
    signature.apply_async_on_commit = apply_async_on_commit
