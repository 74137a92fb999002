"""What an operator did with calls, told in the transaction that does it.

Each is sent by ``OutboxCall`` with ``calls``, a list of the calls as they were before, and
``using``, their database; ``core.context.current()`` says who did it. A receiver that raises undoes
the operation.
"""

from django.dispatch import Signal

calls_retried = Signal()
"""Calls that were dead or uncertain are due again."""

calls_discarded = Signal()
"""Calls that were dead or uncertain are deleted."""
