"""Views that run in a transaction, because of ATOMIC_REQUESTS."""

import sys
from types import ModuleType
from typing import Any

import pytest
from django.db import connections
from django.urls import clear_url_caches, path

from tests.unit.aftercommit.adopt.conftest import Project

CODE = """
from django.db import transaction
from django.views import View
from shop.tasks import notify

def view(request):
    notify.delay(1)

@transaction.non_atomic_requests
def other(request):
    notify.delay(2)

class Orders(View):
    def post(self, request):
        self.save()
    def save(self):
        notify.delay(3)

def nobody():
    notify.delay(4)
"""

TASKS = "from celery import shared_task\n@shared_task\ndef notify(pk): ...\n"


@pytest.fixture
def routed(project: Project, registry: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the project with its views in the URLs, and a way to switch ATOMIC_REQUESTS."""
    project.write("shop/tasks.py", TASKS)
    project.write("shop/views.py", CODE)
    from shop import views  # type: ignore[import-not-found]

    urls: Any = ModuleType("shop.urls")
    urls.urlpatterns = [
        path("view", views.view), path("other", views.other), path("o", views.Orders.as_view()),
    ]  # fmt: skip
    monkeypatch.setitem(sys.modules, "shop.urls", urls)
    settings.ROOT_URLCONF = "shop.urls"
    clear_url_caches()
    yield project
    clear_url_caches()


@pytest.mark.parametrize(
    ("atomic", "expected"), [(True, ["notify.delay(1)", "notify.delay(3)"]), (False, [])]
)
def test_atomic_requests(
    routed: Project, atomic: bool, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A view's message is found if its request has a transaction, and only then."""
    monkeypatch.setitem(connections["default"].settings_dict, "ATOMIC_REQUESTS", atomic)
    assert [each.source for each in routed.findings()] == expected
