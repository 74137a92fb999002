"""Signals of an operator's work, sent in the transaction that does it.

``aftercommit.context.current()`` names the operator. A receiver that raises undoes the operation.

``OutboxCall`` sends the signals about calls, with ``calls``, a list of the calls as they were
before, and ``using``, their database.
"""

from django.dispatch import Signal

calls_retried = Signal()
"""Calls that were dead or uncertain are due again."""

calls_discarded = Signal()
"""Calls that were dead or uncertain, or pending for a task that nobody has, are deleted."""

rows_operated = Signal()
"""Rows of another model have changed. The model sends it with ``rows``, a list of the rows as they
were before, ``values``, the new values by the fields' names, and ``using``, their database."""
