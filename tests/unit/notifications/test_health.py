"""Mails that failed or are unconfirmed, as a monitor and an operator are told of them."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from aftercommit.operations.health import check_health
from notifications.health import check_deliveries
from notifications.models import Delivery
from tests.unit.aftercommit.observe import statements
from tests.unit.notifications.made import make_delivery

pytestmark = pytest.mark.django_db(transaction=True)

Status = Delivery.Status


@pytest.fixture(autouse=True)
def _patient(settings: Any) -> None:
    """A slow machine has its time to answer."""
    settings.OUTBOX_HEALTH_SECONDS = 30


def figures(found: dict[str, Any]) -> Any:
    """What a page or a command says of the deliveries."""
    return found["checks"]["deliveries"]


def test_none() -> None:
    """Without any there is nothing to note, and the figures are zero."""
    for number, status in enumerate(("pending", "sending", "sent", "skipped", "cancelled")):
        make_delivery(number, status=status)
    found = check_health().as_json()
    assert (found["problems"], found["notes"]) == ([], [])
    assert figures(found["databases"]["default"]) == {
        "failed": 0,
        "unconfirmed": 0,
        "limited": 0,
    }


def test_counts(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    """Failed and unconfirmed ones are counted and noted by page and commands, however old.

    They are no problem as long as they are few: dead calls aren't either.
    """
    long_ago = timezone.now() - timedelta(days=100)
    for number in range(3):
        make_delivery(number, status=Status.FAILED, created_at=long_ago)
        make_delivery(f"unconfirmed {number}", status=Status.UNCONFIRMED)
    response = client.get("/readyz")
    assert response.status_code == 200
    assert figures(response.json()["databases"]["default"]) == {
        "failed": 3,
        "unconfirmed": 3,
        "limited": 0,
    }
    failed, unconfirmed = response.json()["notes"]
    assert failed.startswith("Deliveries in 'default' that are failed: 3. Look at")
    assert unconfirmed.startswith("Deliveries in 'default' that are unconfirmed: 3. Look at")
    call_command("outbox", "health")
    text = capsys.readouterr().out
    assert text.splitlines()[0].endswith("; deliveries 3 failed, 3 unconfirmed, 0 limited")
    assert f"Note: {failed}" in text
    call_command("outbox", "status")
    assert "  deliveries: 3 failed, 3 unconfirmed, 0 limited\n" in capsys.readouterr().out


def test_limited() -> None:
    """Those over a limit are noted for a day. They are no problem, however many."""
    for number in range(30):
        make_delivery(number, status=Status.LIMITED)
    long_ago = timezone.now() - timedelta(days=2)
    make_delivery("old", status=Status.LIMITED, created_at=long_ago)
    found = check_health().as_json()
    assert figures(found["databases"]["default"])["limited"] == 30
    (note,) = found["notes"]
    assert "in 'default' that were over a limit: 30." in note
    assert found["problems"] == []


def test_many_in_a_day(client: Client, settings: Any) -> None:
    """More than the limit within a day are a problem: the server refuses everybody's mail."""
    settings.NOTIFICATIONS_MAX_FAILED = 2
    two_days_ago = timezone.now() - timedelta(days=2)
    for number in range(5):
        make_delivery(f"old {number}", status=Status.FAILED, created_at=two_days_ago)
    make_delivery(1, status=Status.FAILED)
    make_delivery(2, status=Status.UNCONFIRMED)
    assert check_health().problems == []
    make_delivery(3, status=Status.FAILED)
    response = client.get("/readyz")
    assert response.status_code == 503
    (problem,) = response.json()["problems"]
    assert problem.startswith(
        "Of the deliveries of the last 24 hours in 'default', 3 failed or are unconfirmed, over "
        "the limit of 2. See what the mail server says"
    )
    Delivery.objects.filter(key="3").update(status=Status.CANCELLED)
    assert check_health().problems == []


def test_limit_by_default(settings: Any) -> None:
    """The limit is 20, also where the settings don't name it."""
    del settings.NOTIFICATIONS_MAX_FAILED
    for number in range(20):
        make_delivery(number, status=Status.FAILED)
    assert check_health().problems == []
    make_delivery(20, status=Status.FAILED)
    assert len(check_health().problems) == 1


def test_database_without_deliveries() -> None:
    """Of a database that deliveries aren't written to, it says nothing, and doesn't ask it."""
    assert check_deliveries("elsewhere") is None


def test_no_query_a_delivery() -> None:
    """It takes one statement, however many there are."""
    for number in range(10):
        make_delivery(number, status=Status.FAILED)
    with statements() as seen:
        check_deliveries("default")
    assert seen == ["SELECT notifications_delivery"]
