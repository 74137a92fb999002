"""What all pages of accounts have in common."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from core.accounts.urls import urlpatterns
from tests.people import make_user
from tests.unit.core.front.test_headers import INLINE

pytestmark = pytest.mark.django_db

ARGUMENTS: dict[str, dict[str, Any]] = {
    "account_confirm_email": {"key": "none"},
    "account_reset_password_from_key": {"uidb36": "1", "key": "none"},
}
PAGES = [reverse(each.name, kwargs=ARGUMENTS.get(str(each.name))) for each in urlpatterns]
FORGED = {"email": "<b>", "login": "<b>", "password": "x", "username": "<b>", "action_add": "1"}


@pytest.mark.parametrize("logged_in", [False, True])
def test_nothing_that_no_browser_runs(client: Client, logged_in: bool) -> None:
    """No page has a script or a style in it, shown or after a form that is refused."""
    if logged_in:
        client.force_login(make_user("ann"))
    shown = [client.get(page) for page in PAGES]
    sent = [client.post(page, FORGED) for page in PAGES if "logout" not in page]
    seen = [page for page in (*shown, *sent) if page.status_code == 200]
    assert len(seen) > 8
    for page in seen:
        text = page.content.decode()
        assert INLINE.findall(text) == []
        assert "<b>" not in text
        assert 'class="site"' in text  # the site's look, and none of the library's own pages
        assert "default-src 'self'" in page["Content-Security-Policy"]


def test_no_page_for_caches(client: Client) -> None:
    """No page with a form for a password is kept by a browser or a proxy."""
    for page in ("/login/", "/signup/"):
        assert "no-store" in client.get(page)["Cache-Control"]
