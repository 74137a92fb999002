"""HTTPS, which ``SITE_URL`` alone asks for."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from core.https import read_site_url
from core.stack.config import ROOT
from tests.unit.core.test_settings import GOOD

NAMES = [
    *("SECURE_SSL_REDIRECT", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE"),
    *("SECURE_HSTS_SECONDS", "SECURE_PROXY_SSL_HEADER", "ALLOWED_HOSTS"),
]


def run(command: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
    """A process of the site with these variables."""
    bare = {"PATH": os.environ["PATH"], "DATABASE_URL": "sqlite://:memory:", "SECRET_KEY": GOOD}
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={**bare, "DJANGO_SETTINGS_MODULE": "core.settings", **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def read(**variables: str) -> dict[str, Any]:
    """The settings that have to do with HTTPS."""
    code = (
        "import json; from core import settings; "
        f"print(json.dumps({{name: getattr(settings, name) for name in {NAMES}}}))"
    )
    found: dict[str, Any] = json.loads(run(["-c", code], **variables).stdout)
    return found


def test_one_variable() -> None:
    """Cookies, the redirect and HSTS follow. No header is trusted that any client can send."""
    found = read(SITE_URL="https://site.example")
    assert [found[name] for name in NAMES[:5]] == [True, True, True, 3600, None]
    assert "site.example" in found["ALLOWED_HOSTS"]


def test_as_asked() -> None:
    """The seconds of HSTS, and the header of the proxy that ends TLS."""
    asked = {"HSTS_SECONDS": "31536000", "PROXY_HTTPS_HEADER": "X-Forwarded-Proto"}
    found = read(SITE_URL="https://site.example", **asked)
    assert found["SECURE_HSTS_SECONDS"] == 31536000
    assert found["SECURE_PROXY_SSL_HEADER"] == ["HTTP_X_FORWARDED_PROTO", "https"]


def test_not_asked() -> None:
    """On HTTP nothing of it: nobody could log in."""
    found = read(SITE_URL="http://site.example:8000")
    assert [found[name] for name in NAMES[:5]] == [False, False, False, 0, None]


def test_nothing_is_left_to_warn_of() -> None:
    """``manage.py check --deploy`` is clean with that one variable."""
    check = ["manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    done = run(check, SITE_URL="https://site.example")
    assert done.returncode == 0, done.stderr
    assert run(check).returncode == 1


@pytest.mark.parametrize("url", ["site.example", "ftp://site.example", "https://", "//site"])
def test_fail_no_address(url: str) -> None:
    """What is no address is refused, rather than taken for HTTP."""
    with pytest.raises(ImproperlyConfigured, match="is not an address"):
        read_site_url(url)
