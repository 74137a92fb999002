"""What an operator did, told in the transaction that does it.

``aftercommit.context.current()`` says who did it. A receiver that raises undoes the operation.

Those about calls are sent by ``OutboxCall`` with ``calls``, a list of the calls as they were
before, and ``using``, their database.
"""

from django.dispatch import Signal

calls_retried = Signal()
"""Calls that were dead or uncertain are due again."""

calls_discarded = Signal()
"""Calls that were dead or uncertain, or pending for a task that nobody has, are deleted."""

rows_operated = Signal()
"""Rows of another model have changed. Sent by the model with ``rows``, a list of them as they were
before, ``values``, what each has now by the field's name, and ``using``, their database."""
