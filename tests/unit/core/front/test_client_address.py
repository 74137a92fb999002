"""The address of a client: nobody but a trusted proxy says it, and nothing that is sent raises."""

import logging

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.test import Client, RequestFactory
from pytest_django import Settings

from aftercommit.contrib.testing import Outbox
from audit.models import AuditLog
from core.front.client_address import (
    ClientAddressMiddleware,
    Proxies,
    client_address,
    network_of,
    read_proxies,
    warn_of_proxy,
)
from tests.factories import user_with

PROXIES = read_proxies(["10.0.0.0/8", "2001:db8:1::/48", "unix"])


def request_from(peer: str | None, forwarded: str | None = None) -> HttpRequest:
    """Return a request of this peer, with the header."""
    request = RequestFactory().get("/")
    request.META["REMOTE_ADDR"] = peer
    if peer is None:
        del request.META["REMOTE_ADDR"]
    if forwarded is not None:
        request.META["HTTP_X_FORWARDED_FOR"] = forwarded
    return request


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.1", None, "192.0.2.1"),
        ("192.0.2.1", "198.51.100.7", "192.0.2.1"),  # from somebody who is no proxy
        ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "203.0.113.9, 198.51.100.7", "198.51.100.7"),  # the left is the client's word
        ("10.0.0.1", "10.9.9.9, 198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "203.0.113.9,198.51.100.7 , 10.0.0.2", "198.51.100.7"),  # two proxies
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),  # a client among the proxies
        ("::ffff:10.0.0.1", "::ffff:198.51.100.7", "198.51.100.7"),
        ("2001:db8:1::5", "2001:db8:2::7", "2001:db8:2::7"),
        ("", "198.51.100.7", "198.51.100.7"),  # a Unix socket
        (None, "198.51.100.7", "198.51.100.7"),
        ("", None, ""),
        (None, None, ""),
        ("10.0.0.1", "198.51.100.7:5678", "198.51.100.7"),
        ("10.0.0.1", "[2001:db8:2::7]:80", "2001:db8:2::7"),
        ("10.0.0.1", "[2001:db8:2::7]", "2001:db8:2::7"),
        ("10.0.0.1:5678", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "fe80::1%eth0", "fe80::1"),
    ],
)
def test_client(peer: str | None, forwarded: str | None, client: str, settings: Settings) -> None:
    """It is the nearest one that is no trusted proxy's, as it is without a port."""
    settings.TRUSTED_PROXIES = PROXIES
    assert client_address(request_from(peer, forwarded)) == client


GARBAGE = [
    *("", ",", " , ", "unknown", "198.51.100.7, unknown", "198.51.100.7,", "1.2.3", "1.2.3.4.5"),
    *(
        "1.2.3.4:99999999",
        "[",
        "[]:80",
        "[1.2.3.4",
        "::1]:80",
        "1.2.3.4\x00",
        "\ud800",
        "²",
        "/" * 9,
    ),
    *("for=1.2.3.4", '"1.2.3.4"', "1" * 65536, "1.2.3.4/8", "999.1.1.1", "::g", "%", "%eth0"),
    ",".join(["x"] * 9999),
]


@pytest.mark.parametrize("forwarded", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage(forwarded: str, settings: Settings) -> None:
    """A header that can't be read tells nothing: the proxy's own address stands."""
    settings.TRUSTED_PROXIES = PROXIES
    assert client_address(request_from("10.0.0.1", forwarded)) == "10.0.0.1"
    assert client_address(request_from(forwarded)) == ""


def test_all_proxies_named(settings: Settings) -> None:
    """A chain of nothing but proxies ends at its left."""
    settings.TRUSTED_PROXIES = PROXIES
    assert (
        client_address(request_from("", ",".join(["10.0.0.9"] + ["10.0.0.2"] * 999))) == "10.0.0.9"
    )


def test_socket_not_trusted(settings: Settings) -> None:
    """A peer without an address is believed only if ``unix`` says so."""
    settings.TRUSTED_PROXIES = read_proxies(["10.0.0.0/8"])
    assert client_address(request_from("", "198.51.100.7")) == ""


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:2:3:4:5:6:7", "2001:db8:2:3::/64"),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.1"),
        ("", ""),
    ],
)
def test_network(address: str, network: str) -> None:
    """A client has all addresses of a /64, so that the network is what is counted."""
    assert network_of(address) == network


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("proxy.example", "'proxy.example', which is no address and no network"),
        ("10.0.0.1/8", "has host bits set"),
        ("*", "which is no address"),
        ("1", "which is no address"),
        ("0.0.0.0/0", "which is every address"),
        ("::/0", "which is every address"),
    ],
)
def test_fail_malformed(name: str, said: str) -> None:
    """What is no network is refused with a sentence, and so is the network of everybody."""
    with pytest.raises(ImproperlyConfigured, match="TRUSTED_PROXIES names") as refused:
        read_proxies(["10.0.0.0/8", name])
    assert said in str(refused.value)


@pytest.mark.django_db
def test_audit_log(settings: Settings, outbox: Outbox) -> None:
    """The log of changes has the client's address, and not the proxy's."""
    settings.TRUSTED_PROXIES = PROXIES
    client = Client()
    client.force_login(user_with("add_product"))
    forwarded = {"X-Forwarded-For": "203.0.113.9, 198.51.100.7"}
    form = {"name": "One", "price": "1", "stock": "1"}
    client.post("/products/new/", form, headers=forwarded, REMOTE_ADDR="10.0.0.1")
    outbox.drain()
    assert AuditLog.objects.filter(model_label="content.product").get().address == "198.51.100.7"


def test_middleware(settings: Settings) -> None:
    """All that comes later finds the client's address, and nobody finds the header."""
    settings.TRUSTED_PROXIES = PROXIES
    request = request_from("10.0.0.1", "203.0.113.9, 198.51.100.7")
    ClientAddressMiddleware(lambda request: None).process_request(request)  # type: ignore[arg-type,return-value]
    assert request.META["REMOTE_ADDR"] == "198.51.100.7"
    assert "X-Forwarded-For" not in request.headers


@pytest.mark.parametrize(("peer", "secure"), [("10.0.0.1", True), ("192.0.2.1", False)])
def test_https(peer: str, secure: bool, settings: Settings) -> None:
    """Nobody but a proxy says that a request came by HTTPS, where proxies are named."""
    settings.TRUSTED_PROXIES = PROXIES
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    request = request_from(peer)
    request.META["HTTP_X_FORWARDED_PROTO"] = "https"
    ClientAddressMiddleware(lambda request: None).process_request(request)  # type: ignore[arg-type,return-value]
    assert request.is_secure() is secure


def test_proxy_that_nobody_named(
    settings: Settings, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says it once."""
    settings.TRUSTED_PROXIES = Proxies()
    warn_of_proxy.cache_clear()
    with caplog.at_level(logging.WARNING, "core.front.client_address"):
        for _ in range(2):
            client.get("/nowhere\x01/", headers={"X-Forwarded-For": "198.51.100.7"})
    lines = [each.message for each in caplog.records if each.name == "core.front.client_address"]
    assert len(lines) == 1
    assert "TRUSTED_PROXIES is empty" in lines[0]
