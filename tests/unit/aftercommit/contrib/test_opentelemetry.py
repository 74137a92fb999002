"""A trace that goes on in the calls that it makes."""

from typing import Any

import pytest
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    TraceFlags,
    get_current_span,
    use_span,
)

from aftercommit import drain_all
from aftercommit.models import OutboxCall
from tests.unit.aftercommit import effects

pytestmark = pytest.mark.django_db(transaction=True)

SPAN = NonRecordingSpan(
    SpanContext(
        trace_id=0x0AF7651916CD43DD8448EB211C80319C,
        span_id=0xB7AD6B7169203331,
        is_remote=False,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )
)


@pytest.fixture
def seen(settings: Any) -> list[Any]:
    """Return the contexts of the spans that are active while calls run."""
    settings.OUTBOX_CONTEXT = {"trace": "aftercommit.contrib.opentelemetry.Trace"}
    contexts: list[Any] = []
    effects.act("traced", lambda name: contexts.append(get_current_span().get_span_context()))
    return contexts


def test_goes_on(seen: list[Any]) -> None:
    """A call runs within the span that made it, which ends with the call."""
    with use_span(SPAN):
        effects.make_group.delay_on_commit("traced")
    drain_all()
    (context,) = seen
    assert context.trace_id == SPAN.get_span_context().trace_id
    assert context.span_id == SPAN.get_span_context().span_id
    assert context.is_remote
    assert not get_current_span().get_span_context().is_valid


def test_no_trace(seen: list[Any]) -> None:
    """A call that no trace made takes nothing along, and has no parent."""
    effects.make_group.delay_on_commit("traced")
    assert "trace" not in OutboxCall.objects.get().context
    drain_all()
    assert not seen[0].is_valid
