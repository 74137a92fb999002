"""How the entries are written."""

import datetime
from typing import Any

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext

from aftercommit.call import Call
from aftercommit.context import Context
from aftercommit.models import OutboxCall
from aftercommit.worker.drain import drain_all
from audit.models import AuditLog
from audit.tasks import write_audit_logs
from content.models import Product
from tests.factories import ProductFactory, UserFactory

pytestmark = pytest.mark.django_db(transaction=True)

MONDAY = datetime.datetime(2024, 1, 1, 9, tzinfo=datetime.UTC)


def make_call(pk: int, when: datetime.datetime = MONDAY, **kwargs: Any) -> Call:
    """A call as a drain hands it to the task."""
    call = Call("default", pk, "audit.tasks.write_audit_logs", "", "", 0, 0, when)
    call.args, call.context = [], Context()
    call.kwargs = {
        "model": "content.product",
        "object_id": "1",
        "object_repr": "Widget",
        "action": "UPDATE",
        "changes": {"stock": {"old": "1", "new": "2"}},
        **kwargs,
    }
    return call


def test_batch_costs_the_same_whatever_its_size() -> None:
    """Fifty entries, a whole batch on SQLite, are written at once, with as many queries as two."""
    user = UserFactory.create()
    drain_all()

    def queries(count: int, first: int) -> list[str]:
        calls = [make_call(first + i, actor_id=str(user.pk), actor="x") for i in range(count)]
        with CaptureQueriesContext(connection) as captured:
            write_audit_logs.run(calls)
        statements = [query["sql"].split()[0] for query in captured]
        return [word for word in statements if word in ("SELECT", "INSERT", "COPY", "UPDATE")]

    write = "COPY" if connection.vendor == "postgresql" else "INSERT"
    assert queries(2, first=1) == queries(50, first=3) == ["SELECT", "SELECT", write]


def test_same_call_twice_is_an_error() -> None:
    """The outbox settles a call once; should it ever come again, somebody is to see that."""
    write_audit_logs.run([make_call(1)])
    with pytest.raises(IntegrityError):
        write_audit_logs.run([make_call(1)])
    assert AuditLog.objects.count() == 1


def test_reused_id_is_another_call() -> None:
    """After the outbox's sequence was reset, its ids come again; no entry is lost for it."""
    write_audit_logs.run([make_call(1)])
    write_audit_logs.run([make_call(1, when=MONDAY + datetime.timedelta(days=1))])
    assert AuditLog.objects.count() == 2


def test_order_is_that_of_the_calls() -> None:
    """Newest first, and of one time the last call first, however they were written."""
    write_audit_logs.run([make_call(pk) for pk in (2, 4, 1, 3)])
    write_audit_logs.run([make_call(5, when=MONDAY - datetime.timedelta(days=1))])
    assert list(AuditLog.objects.values_list("call_id", flat=True)) == [4, 3, 2, 1, 5]


def test_content_type_is_the_model_s() -> None:
    """An entry has the content type of its model."""
    write_audit_logs.run([make_call(1)])
    log = AuditLog.objects.get()
    assert log.content_type == ContentType.objects.get_for_model(Product)


def test_deleted_content_type_keeps_the_entry() -> None:
    """An entry outlives its content type; its label still says what it is about."""
    product = ProductFactory.create()
    drain_all()
    ContentType.objects.get_for_model(Product).delete()
    log = AuditLog.objects.for_object(product).get()
    assert (log.content_type, str(log)) == (None, f"CREATE Product #{product.pk}")


def test_missing_content_type_is_none() -> None:
    """An entry is written also when its content type is already gone, and still remembered."""
    content_type = ContentType.objects.get_for_model(Product)
    ContentType.objects.filter(pk=content_type.pk).delete()
    assert ContentType.objects.get_for_model(Product).pk == content_type.pk  # from the cache
    write_audit_logs.run([make_call(1)])
    ContentType.objects.clear_cache()
    assert AuditLog.objects.get().content_type is None


def test_entry_of_a_model_that_is_gone() -> None:
    """A class that the project no longer has is called by its label."""
    write_audit_logs.run([make_call(1, model="shop.order", object_repr="")])
    log = AuditLog.objects.get()
    assert (str(log), log.object_repr) == ("UPDATE order #1", "order #1")
    assert log.named_changes() == {"stock": {"old": "1", "new": "2"}}


def test_wrong_arguments_are_a_dead_letter_or_retried_alone() -> None:
    """A call that the task can't read doesn't keep the others from being written."""
    ProductFactory.create()
    write_audit_logs.delay_on_commit(model="content.product")
    report = drain_all()
    assert AuditLog.objects.count() == 1
    assert report.settled == 1
    assert "build_log() missing" in OutboxCall.objects.get().error
