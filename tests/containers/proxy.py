"""What the proxy does for the web servers: it tells who asks, and finds those that serve."""

import json
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

import httpx

from core.stack.waiting import wait_until
from tests.containers.compose import NAME, Compose
from tests.containers.errors import Broken

FORGED = "203.0.113.9"
"""An address that somebody claims to have."""


def check_client(compose: Compose) -> str:
    """Return the address that the site knows of this client. Raises Broken for a wrong one."""
    path = "/whoever-asks/"
    headers = {"X-Forwarded-For": FORGED}
    url = f"{compose.url('WEB_PORT')}{path}"
    status = httpx.get(url, headers=headers, timeout=10, trust_env=False).status_code
    if status != httpx.codes.NOT_FOUND:
        raise Broken(f"{url} was answered with {status}.")
    found = wait_until(lambda: lines_about(compose, f" GET {path}"), 10, "a line of the log")
    client = found[-1].partition(f" GET {path}")[0].split()[-1]
    if not any(ip_address(client) in network for network in networks(compose, "site")):
        raise Broken(f"A client that comes by the proxy is {client} for the site.")
    return client


def check_spread(compose: Compose) -> None:
    """Wait until each web server has answered. Raises TimeoutError if one is never asked."""
    servers = {each.name.removeprefix(f"{NAME}-") for each in compose.containers("web")}
    url = f"{compose.url('WEB_PORT')}/whoever-answers/"

    def asked() -> bool:
        httpx.get(url, timeout=10, trust_env=False)
        lines = lines_about(compose, " GET /whoever-answers/")
        return servers <= {line.partition(" ")[0] for line in lines}

    wait_until(asked, 30, f"{servers} to answer")


def lines_about(compose: Compose, words: str) -> list[str]:
    """Return the lines that the web servers have written with these words."""
    return [each for each in compose("logs", "--no-color", "web").splitlines() if words in each]


def networks(compose: Compose, name: str) -> list[IPv4Network | IPv6Network]:
    """Return the addresses of a network."""
    found = json.loads(compose.docker("network", "inspect", f"{NAME}_{name}"))
    return [ip_network(each["Subnet"]) for each in found[0]["IPAM"]["Config"]]
