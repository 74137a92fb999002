"""What a browser is told about each page, and whether the pages keep to it."""

import re

import pytest
from django.test import Client
from django.urls import get_resolver, reverse
from pytest_django import Settings

from tests.factories import ArticleFactory, UserFactory
from tests.unit.aftercommit.calls import Status, make_call
from tests.unit.core.front.test_text import address, routes

pytestmark = pytest.mark.django_db

INLINE = re.compile(r"<script(?![^>]*\bsrc=)(?![^>]*json)|<style|<[^>]*\s(?:style|on\w+)=", re.I)
"""What the policy lets no browser run: a script or a style in the page itself."""


def test_each_answer_has_them(client: Client) -> None:
    """A page, an error and a redirect."""
    for where in ("/", "/nothing/", "/%00", "/profile/"):
        policy = client.get(where)["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert "camera=()" in client.get(where)["Permissions-Policy"]
    assert client.get("/")["Referrer-Policy"] == "same-origin"


def test_pages_for_debugging_work(client: Client, settings: Settings) -> None:
    """Their scripts are in them."""
    settings.DEBUG = True
    assert "Content-Security-Policy" not in client.get("/nothing/")
    assert "Content-Security-Policy" in client.get("/")


@pytest.mark.django_db(transaction=True)
def test_no_page_has_what_is_not_run(client: Client) -> None:
    """Neither the site's nor the admin's, for who sees all of it."""
    user = UserFactory(is_staff=True, is_superuser=True)
    client.force_login(user)
    ArticleFactory(title="a", slug="a")
    call = make_call(status=Status.DEAD)
    pages = [address(route, "") for route in sorted({*routes(get_resolver().url_patterns)})]
    pages += [reverse("admin:aftercommit_outboxcall_change", args=[call.pk])]
    seen = 0
    for page in pages:
        response = client.get(page, follow=True)
        if response.status_code == 200 and response["Content-Type"].startswith("text/html"):
            seen += 1
            assert INLINE.findall(response.content.decode()) == [], page
            client.force_login(user)  # one of the pages logs out
    assert seen > 30
