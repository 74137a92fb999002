"""HTTPS by Caddy in front of the site, with the Caddyfile and the variables of the page."""

import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from core.stack.ports import LOOPBACK
from core.stack.servers import ServerError
from core.stack.waiting import wait_until
from tests.deploying import variables_in
from tests.integration.recipes.page import read_page
from tests.integration.serving.conftest import Served
from tests.plugins.servers import current_database_url
from tests.tools.servers.caddy import CaddyServer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.only_on("postgres", reason="The page is about Compose, which has PostgreSQL."),
]

HOST = "shop.example"


def caddyfile() -> str:
    """Return the one of the page."""
    (found,) = [
        each.text
        for each in read_page("how-to/deploy-compose.md").blocks
        if each.text.startswith(f"{HOST} {{")
    ]
    return found


@pytest.fixture
def site(tmp_path: Path) -> Served:
    """The site, with the variables of the page. Here the proxy comes from the loopback address."""
    names = ("SITE_URL", "PROXY_HTTPS_HEADER")
    given = {name: variables_in("deploy-compose")[name] for name in names}
    proxies = {"TRUSTED_PROXIES": LOOPBACK, "DATABASE_URL": current_database_url()}
    return Served(tmp_path, "--processes", "1", env={**given, **proxies})


@pytest.fixture
def caddy(site: Served) -> Iterator[CaddyServer]:
    """Caddy in front of the site. A machine without one, and without Debian's, says so."""
    try:
        # A busy machine needs longer than the page's ten seconds to start the site.
        text = caddyfile().replace("8000", str(site.port)).replace(" 10s", " 60s")
        made = CaddyServer(text, HOST)
    except ServerError as error:
        pytest.skip(f"Not shown: that the site works behind Caddy. {error}")
    with made:
        yield made


def ask(caddy: CaddyServer, path: str, **headers: str) -> httpx.Response:
    """Ask for a page of the site, as a browser does that trusts Caddy's authority."""
    named = {"Host": HOST, **{name.replace("_", "-"): value for name, value in headers.items()}}
    with httpx.Client(verify=caddy.trust(), trust_env=False, timeout=90) as client:
        return client.get(f"{caddy.url}{path}", headers=named, extensions={"sni_hostname": HOST})


def test_https(site: Served, caddy: CaddyServer) -> None:
    """Pages come by HTTPS, and cookies go by HTTPS alone. HTTP leads there."""
    with site:
        found = ask(caddy, "/login/")
        assert found.status_code == 200
        assert found.headers["strict-transport-security"] == "max-age=3600"
        assert "; Secure" in found.headers["set-cookie"]
        plain = httpx.get(
            f"http://{LOOPBACK}:{caddy.http_port}/x", headers={"Host": HOST}, trust_env=False
        )
        assert plain.status_code == 308
        assert plain.headers["location"].startswith(f"https://{HOST}")


def test_what_a_client_says_of_itself(site: Served, caddy: CaddyServer) -> None:
    """Neither its address nor its scheme is believed: Caddy says what it has seen."""
    with site:
        said = {"X_Forwarded_For": "203.0.113.9", "X_Forwarded_Proto": "http"}
        assert ask(caddy, "/?forged", **said).status_code == 200
        wait_until(lambda: f"{LOOPBACK} GET / 200" in site.logs(), 30, site.logs)
        assert "203.0.113.9" not in site.logs()


def test_a_restart(site: Served, caddy: CaddyServer) -> None:
    """A request that comes while nothing listens waits for the site."""
    answers: list[int] = []
    waiting = threading.Thread(target=lambda: answers.append(ask(caddy, "/").status_code))
    waiting.start()
    wait_until(lambda: caddy.is_asked() or not waiting.is_alive(), 30, "the request")
    with site:
        waiting.join(90)
    assert answers == [200]
