"""Tests of a user's browser, at the real site."""

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from pytest_django.live_server_helper import LiveServer

from tests.factories import PASSWORD
from tests.people import make_user
from tests.tools.demo.ledger import Request
from tests.tools.demo.site import OK, Browser, SiteError

pytestmark = pytest.mark.django_db(transaction=True)

LOGIN = {"username": "ada", "email": "ada@example.com"}
PASSWORDS = {"password1": "a-long-pass-phrase", "password2": "a-long-pass-phrase"}


@pytest.fixture
def made() -> list[Request]:
    """The requests that were answered."""
    return []


@pytest.fixture
def browser(live_server: LiveServer, made: list[Request]) -> Iterator[Browser]:
    """A browser at the site."""
    with Browser(live_server.url, made.append) as browser:
        yield browser


def test_form_is_sent_as_the_page_has_it(browser: Browser, made: list[Request]) -> None:
    reply = browser.submit(browser.form("/signup/").filled(**LOGIN, **PASSWORDS))
    assert User.objects.get().email == "ada@example.com"
    assert reply.location == "/account/address/verify/"
    assert [request.method for request in made] == ["GET", "POST"]


def test_user_stays_logged_in(browser: Browser) -> None:
    user = make_user(LOGIN["username"])
    browser.submit(browser.form("/login/").filled(login=user.username, password=PASSWORD))
    form = browser.form("/profile/")
    assert form.multipart
    browser.submit(form.filled(bio="Line one\nline two"))
    assert User.objects.get().profile.bio == "Line one\r\nline two"


def test_refused_form_is_a_page(browser: Browser) -> None:
    reply = browser.submit(browser.form("/signup/").filled(**LOGIN), expect=OK)
    assert reply.page.form().fields["username"] == "ada"
    assert not User.objects.exists()


def test_fail_other_answer_than_expected(browser: Browser) -> None:
    with pytest.raises(SiteError, match=r"GET /articles/none/ was answered with 404, not 200\."):
        browser.open("/articles/none/")


def test_fail_no_answer(made: list[Request]) -> None:
    with (
        Browser("http://127.0.0.1:1", made.append) as browser,
        pytest.raises(SiteError, match="GET / was not answered"),
    ):
        browser.open("/")
    assert made == []
