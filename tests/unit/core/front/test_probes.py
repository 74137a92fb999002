"""The pages for load balancers, which ask by an address and not by the site's name."""

import pytest
from django.test import Client
from pytest_django import Settings

ANY_HOST = ["evil.example", "10.0.0.7:8000", "", "a b", "[::1", "x" * 300]


@pytest.mark.parametrize("host", ANY_HOST)
def test_live_whatever_the_host_is(client: Client, host: str) -> None:
    """The process lives and serves, whatever it is called."""
    assert client.get("/healthz", headers={"Host": host}).status_code == 200
    assert client.get("/servez", headers={"Host": host}).status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize("host", ANY_HOST)
def test_ready_whatever_the_host_is(client: Client, host: str) -> None:
    """A monitor gets the answer about the outbox."""
    response = client.get("/readyz", headers={"Host": host})
    assert "ready" in response.json()


@pytest.mark.parametrize("address", ["/healthz", "/servez", "/readyz"])
@pytest.mark.django_db
def test_no_redirect_to_https(client: Client, settings: Settings, address: str) -> None:
    """A load balancer asks the machine itself, without TLS."""
    settings.SECURE_SSL_REDIRECT = True
    assert client.get(address).status_code != 301


@pytest.mark.parametrize("host", ANY_HOST)
def test_any_other_page_refuses_an_unknown_host(client: Client, host: str) -> None:
    """ALLOWED_HOSTS holds for the pages, and for addresses that only begin like a probe's."""
    for address in ("/login/", "/healthz/x"):
        assert client.get(address, headers={"Host": host or "-"}).status_code in (400, 404)
    assert client.get("/login/", headers={"Host": host or "-"}).status_code == 400


def test_probes_only_answer_reads(client: Client) -> None:
    """They change nothing, so that they take no body."""
    assert client.post("/healthz").status_code == 405
    assert client.post("/servez").status_code == 405
