"""A trace that goes on in the calls that it makes.

Name the carrier in the settings::

    OUTBOX_CONTEXT = {"trace": "aftercommit.contrib.opentelemetry.Trace"}

The spans of a call are then children of the span that made the call, also in another process and
after a retry.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.context import attach, detach
from opentelemetry.propagate import extract, inject


class Trace:
    """The active span's context and baggage, as the project's propagators write them."""

    def capture(self) -> dict[str, str] | None:
        """Return the headers that a request to another service would have, or None for none."""
        headers: dict[str, str] = {}
        inject(headers)
        return headers or None

    @contextmanager
    def restore(self, value: dict[str, str]) -> Iterator[None]:
        """Have the trace go on in the block."""
        token = attach(extract(value))
        try:
            yield
        finally:
            detach(token)
