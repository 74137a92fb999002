"""What operators do with calls, in the log: who retried or discarded which."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, connection
from django.test import Client
from django.urls import reverse

from aftercommit.models import OutboxCall
from aftercommit.operations.calls import discard_calls, retry_calls
from aftercommit.worker.drain import drain_all
from audit import receivers
from audit.models import AuditLog
from tests.factories import UserFactory
from tests.unit.aftercommit.calls import MAKE_GROUP, Status, make_call

pytestmark = pytest.mark.django_db(transaction=True)

LIST = reverse("admin:aftercommit_outboxcall_changelist")


@pytest.fixture
def staff(client: Client) -> User:
    """Who is logged in, and has the admin's rights."""
    user: User = UserFactory(username="mara", is_staff=True, is_superuser=True)
    client.force_login(user)
    drain_all()
    return user


def operate(client: Client, action: str, *calls: OutboxCall) -> str:
    """Choose the calls in the admin, run the action as one who has confirmed it: the request."""
    data = {"action": action, "_selected_action": [call.pk for call in calls], "post": "yes"}
    response = client.post(LIST, data, REMOTE_ADDR="192.0.2.7")
    assert response.status_code == 302
    return response["X-Request-ID"]


def logs() -> list[AuditLog]:
    """The entries about calls, oldest first, once they are written."""
    drain_all()
    return list(AuditLog.objects.filter(model_label="aftercommit.outboxcall").order_by("call_id"))


def test_retry(client: Client, staff: User) -> None:
    """An entry a call: who, from where, and that it was made due again."""
    dead, uncertain = make_call("a", status=Status.DEAD), make_call("b", status=Status.UNCERTAIN)
    request_id = operate(client, "retry", dead, uncertain)
    first, second = logs()
    assert (first.action, first.object_id) == ("UPDATE", str(dead.pk))
    assert first.changes == {"status": {"old": "dead", "new": "pending"}}
    assert first.object_repr == f"{MAKE_GROUP} #{dead.pk}"
    assert (first.user, first.user_label) == (staff, "mara")
    assert (first.request_id, first.address) == (request_id, "192.0.2.7")
    assert second.object_id == str(uncertain.pk)
    assert second.changes == {"status": {"old": "uncertain", "new": "pending"}}


def test_discard(client: Client, staff: User) -> None:
    """An entry a call, with what it was."""
    call = make_call(status=Status.DEAD, attempts=9, crashes=1)
    operate(client, "discard", call)
    (log,) = logs()
    assert (log.action, log.user, log.object_id) == ("DELETE", staff, str(call.pk))
    values = log.changes["deleted_values"]
    assert values.pop("created_at").startswith(call.created_at.strftime("%Y-%m-%dT%H:%M:%S"))
    assert values == {
        "task": MAKE_GROUP,
        "status": "dead",
        "attempts": "9",
        "crashes": "1",
        "arguments": "…",
    }


def test_nothing_done(client: Client, staff: User) -> None:
    """None for a call that is left as it is."""
    operate(client, "retry", make_call())
    assert logs() == []


@pytest.mark.parametrize(
    ("payload", "shown"),
    [
        ('[[17, "s3cret"], {"delivery_id": 18}]', "17, …, delivery_id=18"),
        ('[[], {"token": "s3cret", "again": true, "at": null}]', "token=…, again=true, at=null"),
        ('[[], {"pin": 1234, "stock": 5}]', "pin=…, stock=5"),
        ('[[], {"user": {"password": "s3cret"}, "all": ["s3cret"]}]', "user=…, all=…"),
        ('[[17], {}, {"headers": "s3cret"}]', "17"),
        ("[[], {}]", ""),
        ("[" * 100_000 + "s3cret", None),
        ("s3cret", None),
        ('["s3cret"]', None),
        ('{"s3cret": 1}', None),
        ('[[], ["s3cret"]]', None),
        ("17", None),
    ],
)
def test_no_secrets(payload: str, shown: str | None) -> None:
    """Names and numbers of the arguments are shown; texts and what holds texts are not.

    Nor is the error, which may repeat them.
    """
    make_call(status=Status.DEAD, payload=payload, error="ValueError: s3cret")
    discard_calls(OutboxCall.objects.all())
    assert "s3cret" not in OutboxCall.objects.get().payload
    (log,) = logs()
    assert log.changes["deleted_values"]["arguments"] == shown


@pytest.mark.parametrize("operation", [retry_calls, discard_calls])
def test_atomic(operation: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is done that isn't logged."""
    call = make_call(status=Status.DEAD)

    def fail(*args: Any, **kwargs: Any) -> None:
        raise DatabaseError("disk full")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(receivers.write_audit_logs, "using", fail)
        with pytest.raises(DatabaseError, match="disk full"):
            operation(OutboxCall.objects.all())
    call.refresh_from_db()
    assert call.status == Status.DEAD
    # Nor if the log's call can't be stored, which happens as late as at the COMMIT.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("aftercommit.db.hook.store_calls", fail)
        with pytest.raises(DatabaseError, match="disk full"):
            operation(OutboxCall.objects.all())
    connection.close()
    call.refresh_from_db()
    assert call.status == Status.DEAD
    assert logs() == []


def test_in_the_log_s_admin(client: Client, staff: User) -> None:
    """The log's list can be narrowed to calls; an entry's page shows what became of one."""
    call = make_call(status=Status.DEAD)
    operate(client, "discard", call)
    (log,) = logs()
    address = reverse("admin:audit_auditlog_changelist")
    response = client.get(address, {"model": "aftercommit.outboxcall"})
    assert list(response.context["cl"].result_list) == [log]
    page = client.get(reverse("admin:audit_auditlog_change", args=[log.pk])).content.decode()
    assert f'<th scope="row">task</th><td>{MAKE_GROUP}</td>' in page
