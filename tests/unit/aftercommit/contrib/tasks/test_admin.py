"""The page of results in the admin."""

from typing import Any

import pytest
from django.contrib.admin import site
from django.test import RequestFactory

from aftercommit.contrib.tasks.records import records
from aftercommit.worker.drain import drain_all
from tests.unit.aftercommit.contrib.tasks import defined
from tests.unit.aftercommit.contrib.tasks.defined import fail


@pytest.mark.django_db(transaction=True)
def test_row(admin_user: Any) -> None:
    """A row shows the tracebacks as text, and can't be changed."""
    from aftercommit.contrib.tasks.admin import TaskRecordAdmin

    defined.acts.append(fail(ValueError("<b>")))
    defined.make_group.using(backend="once").enqueue("a")
    drain_all()
    row = records("default").get()
    page: Any = TaskRecordAdmin(type(row), site)
    request = RequestFactory().get("/")
    request.user = admin_user
    assert "ValueError: &lt;b&gt;" in page.tracebacks(row)
    assert row.task in str(row)
    assert not page.has_change_permission(request, row)
    assert list(page.get_queryset(request)) == [row]
