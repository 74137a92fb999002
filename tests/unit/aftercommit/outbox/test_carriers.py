"""What travels with a call, by ``OUTBOX_CONTEXT``."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import pytest
from django.utils import translation

from aftercommit.models import OutboxCall
from aftercommit.worker.drain import drain_all
from tests.unit.aftercommit import effects

pytestmark = pytest.mark.django_db(transaction=True)

tenant: ContextVar[str | None] = ContextVar("tenant", default=None)


class Tenant:
    """A carrier of a project's own."""

    def capture(self) -> str | None:
        """Return the tenant, unless there is none."""
        if tenant.get() == "broken":
            raise LookupError("no such tenant")
        return tenant.get()

    @contextmanager
    def restore(self, value: str) -> Iterator[None]:
        """Set the tenant in the block."""
        token = tenant.set(value)
        try:
            yield
        finally:
            tenant.reset(token)


@pytest.fixture(autouse=True)
def _carriers(settings: Any) -> None:
    settings.OUTBOX_CONTEXT = {
        "language": "aftercommit.outbox.carriers.Language",
        "tenant": "tests.unit.aftercommit.outbox.test_carriers.Tenant",
    }


def seen(name: str = "") -> None:
    """Keep what the call runs in, and make a call of its own."""
    found.append((translation.get_language(), tenant.get()))
    if name == "first":
        effects.act("second", seen)
        effects.make_group.delay_on_commit("second")


found: list[Any] = []


def test_travels() -> None:
    """A call runs in the language and for the tenant that it was made in; so do calls it makes."""
    found.clear()
    effects.act("first", seen)
    token = tenant.set("acme")
    with translation.override("de"):
        effects.make_group.delay_on_commit("first")
    tenant.reset(token)
    assert drain_all().settled == 2
    assert found == [("de", "acme"), ("de", "acme")]
    assert tenant.get() is None


def test_nothing_to_carry(settings: Any) -> None:
    """A value that is None isn't stored; without carriers nothing is."""
    effects.make_group.delay_on_commit("a")
    assert "tenant" not in OutboxCall.objects.get().context
    settings.OUTBOX_CONTEXT = {}
    effects.make_group.delay_on_commit("b")
    assert OutboxCall.objects.latest("pk").context == '["", "", "", ""]'


def test_fail_capture() -> None:
    """A carrier that can't tell keeps the call from being made: it would be another tenant's."""
    token = tenant.set("broken")
    with pytest.raises(LookupError, match="no such tenant"):
        effects.make_group.delay_on_commit("a")
    tenant.reset(token)
    assert not OutboxCall.objects.exists()


def test_carrier_that_is_gone(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    """What no carrier is there for any more is said, and the call runs."""
    token = tenant.set("acme")
    effects.make_group.delay_on_commit("a")
    tenant.reset(token)
    settings.OUTBOX_CONTEXT = {"language": "aftercommit.outbox.carriers.Language"}
    assert drain_all().settled == 1
    assert "A call has 'tenant' with it" in caplog.text
