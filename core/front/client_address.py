"""The address of a client, also behind proxies. Whoever asks for an address gets this one."""

import logging
import re
from collections.abc import Iterator, Sequence
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.utils.deprecation import MiddlewareMixin

FORWARDED = "HTTP_X_FORWARDED_FOR"

WITH_PORT = re.compile(r"\[([^]]+)\](?::\d{1,5})?|([\d.]+):\d{1,5}", re.ASCII)
"""The forms ``[2001:db8::1]``, ``[2001:db8::1]:80`` and ``192.0.2.1:80``, which proxies write."""

IPV6_PREFIX = 64
"""The bits of an IPv6 address that a provider chooses. A client can take any address with them."""

Address = IPv4Address | IPv6Address
logger = logging.getLogger(__name__)


class Proxies(NamedTuple):
    """Whom to believe an ``X-Forwarded-For``: networks, and whoever has the server's socket."""

    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    unix: bool = False

    def trust(self, peer: Address | None) -> bool:
        """Return whether the peer is one of the proxies. A peer on a Unix socket has no address."""
        if peer is None:
            return self.unix
        return any(peer in network for network in self.networks)


def read_proxies(names: Sequence[str]) -> Proxies:
    """Return the proxies that ``TRUSTED_PROXIES`` names. Raises ImproperlyConfigured."""
    networks = tuple(read_network(name) for name in names if name != "unix")
    return Proxies(networks, "unix" in names)


def read_network(name: str) -> IPv4Network | IPv6Network:
    """Return the network. Raises ImproperlyConfigured for another text, and for all addresses."""
    try:
        network = ip_network(name)
    except ValueError as error:
        raise ImproperlyConfigured(
            f"TRUSTED_PROXIES names {name!r}, which is no address and no network ({error}). "
            "Expected for example 10.0.0.0/8, 2001:db8::5 or unix, with commas between them."
        ) from error
    if network.prefixlen:
        return network
    raise ImproperlyConfigured(
        f"TRUSTED_PROXIES names {name!r}, which is every address. Each client could then say that "
        "it has any address. Name the addresses of your proxies."
    )


def client_address(request: HttpRequest) -> str:
    """Return the client's address without its port, or "" if it is not known. Never raises.

    It is the nearest address that is not a trusted proxy's. The header is read from the right,
    because a proxy adds to the right what it has seen, and a client can write all that is left.
    """
    proxies = settings.TRUSTED_PROXIES
    nearest = parse_address(request.META.get("REMOTE_ADDR", ""))
    for hop in _hops(request):
        if not proxies.trust(nearest):
            break
        if (farther := parse_address(hop)) is None:
            break  # what the last proxy says can't be read
        nearest = farther
    return str(nearest or "")


def _hops(request: HttpRequest) -> Iterator[str]:
    forwarded: str = request.META.get(FORWARDED, "")
    return reversed(forwarded.split(","))


def parse_address(text: str) -> Address | None:
    """Return the address that the text is, with or without a port, or None.

    An IPv4 address that is written as IPv6 (``::ffff:192.0.2.1``) is returned as IPv4.
    """
    if found := WITH_PORT.fullmatch(text.strip()):
        text = found[1] or found[2]
    try:
        address = ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def network_of(address: str) -> str:
    """Return what one client can have: an IPv4 address, or the /64 of an IPv6 address."""
    if isinstance(parse_address(address), IPv6Address):
        return str(ip_network(f"{address}/{IPV6_PREFIX}", strict=False))
    return address


class ClientAddressMiddleware(MiddlewareMixin):
    """Set ``REMOTE_ADDR`` to the client's address, for all that looks at it later.

    The header is taken away, so that no other package reads it from the wrong side. If proxies are
    named, nobody else says by ``PROXY_HTTPS_HEADER`` that a request came by HTTPS.
    """

    def process_request(self, request: HttpRequest) -> None:
        """Change the request's META."""
        meta, proxies = request.META, settings.TRUSTED_PROXIES
        if not any(proxies):
            warn_of_proxy(FORWARDED in meta)
        elif not proxies.trust(parse_address(meta.get("REMOTE_ADDR", ""))):
            meta.pop((settings.SECURE_PROXY_SSL_HEADER or ("",))[0], None)
        meta["REMOTE_ADDR"] = client_address(request)
        meta.pop(FORWARDED, None)


@cache
def warn_of_proxy(is_sent: bool) -> None:
    """Log once in each process, if the header is sent, that it is believed from nobody."""
    if is_sent:
        logger.warning(
            "A request has an X-Forwarded-For header, which is not read: TRUSTED_PROXIES is empty. "
            "If a proxy stands in front of the site, name its address there. All of its clients "
            "share the limits of one address otherwise."
        )
