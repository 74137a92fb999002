"""Characters that no database stores, sent to every address of the site."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from core.front.probes import PROBES
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db

NUL, ESCAPE = "%00", "%1b[2J"
CONTROLS = [NUL, ESCAPE, "%7f", "%c2%9b"]
HALF = "+2AA-"
"""UTF-7 for half of a character."""


def routes(patterns: list[URLPattern | URLResolver], before: str = "") -> Iterator[str]:
    """Every address's pattern, as Django writes it."""
    for each in patterns:
        if isinstance(each, URLResolver):
            yield from routes(each.url_patterns, before + str(each.pattern))
        else:
            yield before + str(each.pattern)


def address(route: str, text: str) -> str:
    """An address of the route, with the text wherever it takes some."""
    for placeholder in ("<slug:slug>", "<str:username>", "<path:object_id>", "<app_label>"):
        route = route.replace(placeholder, f"a{text}")
    route = re.sub(r"\(.*\)", f"a{text}", route)  # of a pattern that is a regular expression
    return "/" + route.replace("<int:pk>", "1").replace("^", "").replace("$", "")


def few(values: list[str]) -> list[Any]:
    """Return the values as parameters. Only the first is tried by ``make test``."""
    return [values[0], *(pytest.param(each, marks=pytest.mark.slow) for each in values[1:])]


@pytest.fixture
def staff(client: Client) -> Client:
    """A browser whose user may do everything."""
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    client.raise_request_exception = False
    return client


ROUTES = sorted({*routes(get_resolver().url_patterns)})


@pytest.mark.parametrize("text", few([*CONTROLS, "%ed%a0%80", "%ff"]))
def test_no_path_fails(staff: Client, text: str) -> None:
    """Each address with such a character in it is not found, or is somebody's after all."""
    for route in ROUTES:
        for where in (address(route, text), address(route, "") + text):
            response = staff.get(where)
            assert response.status_code < 500, where
            if text in where and text in CONTROLS:
                assert response.status_code == 404, where


@pytest.mark.parametrize("field", few(["page", "q", "next", "o", "author__id__exact", "a%00b"]))
def test_no_query_fails(staff: Client, field: str) -> None:
    """Each address with NUL in its query, as a value or a name."""
    for route in ROUTES:
        where = address(route, "")
        response = staff.get(f"{where}?{field}={NUL}")
        assert response.status_code == (200 if where in PROBES else 400), where


@pytest.mark.parametrize("field", few(["username", "title", "text", "next", "name", "action"]))
def test_no_form_fails(staff: Client, field: str) -> None:
    """Each address that is sent a form with NUL in it."""
    for route in ROUTES:
        where = address(route, "")
        assert staff.post(where, {field: "a\0b"}).status_code < 500, where


def test_a_form_with_nul_is_refused(client: Client) -> None:
    """With a page that says why."""
    response = client.post("/login/", {"login": "a\0b", "password": "x"})
    assert response.status_code == 400
    assert "can't be understood" in response.content.decode()


@pytest.mark.parametrize("charset", ["utf-7", "utf-16", "hex", "raw_unicode_escape", "idna"])
@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=b", "text/plain"])
def test_another_charset_is_refused(client: Client, charset: str, kind: str) -> None:
    """Python's codecs make half characters, or fail, from bytes that were clean."""
    client.raise_request_exception = False
    field = 'Content-Disposition: form-data; name="username"'
    body = f"--b\r\n{field}\r\n\r\n{HALF}\\ud800\r\n--b--\r\n"
    content_type = f"{kind}; charset={charset}"
    assert client.generic("POST", "/login/", body, content_type).status_code == 400


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", '"utf-8"'])
def test_utf8_is_taken(client: Client, charset: str) -> None:
    """In each way to write it."""
    form = "application/x-www-form-urlencoded"
    asked = client.generic("POST", "/login/", "username=x", f"{form}; charset={charset}")
    assert asked.status_code == 200


def test_a_cookie_with_nul_is_no_session(client: Client) -> None:
    """Browsers quote such a cookie, and Django takes the quotes off."""
    client.raise_request_exception = False
    asked = client.get("/profile/", headers={"Cookie": r'sessionid="aaaaaaaa\000"'})
    assert asked.status_code == 302


def test_other_control_characters_of_a_text_are_taken(client: Client) -> None:
    """A text that was pasted has tabs and form feeds."""
    assert client.post("/login/", {"login": "a\x0c\tb", "password": "x"}).status_code == 200
