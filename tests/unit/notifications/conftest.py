"""What every test of the notifications needs."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.db.models.functions import Now

from aftercommit.models import OutboxCall
from aftercommit.worker.drain import drain_all
from aftercommit.worker.summary import DrainSummary
from notifications.models import Announcement, Delivery, GatheredComment
from notifications.tasks import send_delivery
from tests.mailbox import mail_server  # noqa: F401  # a fixture


@pytest.fixture
def pass_time() -> Callable[[timedelta], None]:
    """Have time pass for the notifications: what they remember is so much older then."""

    def move(by: timedelta) -> None:
        Announcement.objects.update(told_at=F("told_at") - by)
        GatheredComment.objects.update(created_at=F("created_at") - by)
        Delivery.objects.update(created_at=F("created_at") - by)
        OutboxCall.objects.update(available_at=F("available_at") - by)

    return move


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
