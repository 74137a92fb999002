"""The log in the admin."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from aftercommit.contrib.testing import Outbox
from audit.models import AuditLog
from tests.factories import ProductFactory, UserFactory

pytestmark = pytest.mark.django_db

LIST = reverse("admin:audit_auditlog_changelist")


@pytest.fixture
def admin(client: Client) -> Client:
    """A browser in which a superuser is logged in."""
    client.force_login(UserFactory.create(username="mara", is_staff=True, is_superuser=True))
    return client


def page_of(log: AuditLog | None) -> str:
    """The address of the entry's page."""
    assert log is not None
    return reverse("admin:audit_auditlog_change", args=[log.pk])


def test_list_takes_no_query_a_row(admin: Client, outbox: Outbox) -> None:
    """Twenty more entries are no more queries."""

    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert admin.get(LIST).status_code == 200
        return len(queries)

    ProductFactory.create()
    outbox.drain()
    few = count()
    ProductFactory.create_batch(20)
    outbox.drain()
    assert count() == few


def test_list_can_be_filtered_and_searched(admin: Client, outbox: Outbox) -> None:
    """By action, model, time and by what one would look for."""
    for name in ("Widget", "Gadget"):
        ProductFactory.create(name=name)
    outbox.drain()
    for query in ("?action=CREATE&model=content.product", "?q=Widget", "?q=mara", "?q=nothing"):
        assert admin.get(LIST + query).status_code == 200
    found = admin.get(f"{LIST}?q=Gadget").context["cl"].queryset
    assert [log.object_repr for log in found] == ["Gadget"]
    found = admin.get(f"{LIST}?model=auth.user").context["cl"].queryset
    assert {log.model_label for log in found} == {"auth.user"}


def test_models_that_the_list_can_be_narrowed_to(admin: Client) -> None:
    """Those that are audited, and those whose rows operators act on in the admin."""
    text = admin.get(LIST).content.decode()
    for model in ("content.product", "aftercommit.outboxcall", "notifications.delivery"):
        assert f'href="?model={model}"' in text
    assert "model=notifications.follow" not in text


def test_page_shows_old_and_new(admin: Client, outbox: Outbox) -> None:
    """A page shows each change as a row, escaped, and links to the object."""
    product = ProductFactory.create(name="Widget")
    product.name = "<b>Gadget</b>"
    product.save()
    outbox.drain()
    text = admin.get(page_of(AuditLog.objects.first())).content.decode()
    row = '<th scope="row">name</th><td>Widget</td><td>&lt;b&gt;Gadget&lt;/b&gt;</td>'
    assert row in text
    assert f'href="{reverse("admin:content_product_change", args=[product.pk])}"' in text


def test_page_of_a_deleted_object_has_no_link(admin: Client, outbox: Outbox) -> None:
    """An object that is gone is named, not linked."""
    product = ProductFactory.create(name="Widget")
    url = reverse("admin:content_product_change", args=[product.pk])
    product.delete()
    outbox.drain()
    text = admin.get(page_of(AuditLog.objects.first())).content.decode()
    assert "Widget" in text
    assert url not in text


def test_page_shows_the_model_s_order(admin: Client, outbox: Outbox) -> None:
    """Fields come in the model's order, whatever the database made of the JSON's."""
    ProductFactory.create()
    outbox.drain()
    log = AuditLog.objects.get(model_label="content.product")
    assert list(log.named_changes()) == ["id", "name", "price", "stock", "is_active"]
    assert admin.get(page_of(log)).status_code == 200


def test_nothing_can_be_changed(admin: Client, outbox: Outbox) -> None:
    """Entries can't be added, changed or deleted."""
    ProductFactory.create()
    outbox.drain()
    log = AuditLog.objects.first()
    assert admin.get(reverse("admin:audit_auditlog_add")).status_code == 403
    assert admin.post(page_of(log), {"object_repr": "x"}).status_code == 403
    assert log is not None
    delete = reverse("admin:audit_auditlog_delete", args=[log.pk])
    assert admin.post(delete, {"post": "yes"}).status_code == 403
    assert "delete_selected" not in admin.get(LIST).content.decode()
