"""What every test of the notifications needs."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db.models.functions import Now

from aftercommit.models import OutboxCall
from aftercommit.worker.drain import drain_all
from aftercommit.worker.summary import DrainSummary
from notifications.tasks import send_delivery
from tests.mailbox import mail_server  # noqa: F401  # a fixture


@pytest.fixture
def drain(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Callable[[], DrainSummary]:
    """Settle everything, also what waits for its next attempt; each call is tried once a time.

    Each comment is a mail of its own.
    """
    settings.NOTIFICATIONS_DIGEST_SECONDS = 0
    # Minutes until the next attempt: with jitter it can be due in the same drain.
    monkeypatch.setattr(send_delivery, "retry_backoff", False, raising=False)

    def settle() -> DrainSummary:
        pending = OutboxCall.objects.filter(status=OutboxCall.Status.PENDING)
        pending.update(available_at=Now())
        return drain_all()

    return settle
