"""The routes that lead nowhere are narrower than the container's own, and cover them."""

from ipaddress import IPv4Address, IPv4Network

import pytest

from tests.containers.black_hole import halves, message


@pytest.mark.parametrize("network", ["10.218.2.0/24", "0.0.0.0/0", "172.30.218.0/25"])
def test_halves(network: str) -> None:
    """The kernel takes the narrower route."""
    whole = IPv4Network(network)
    found = halves(int(whole.network_address), whole.prefixlen)
    assert [IPv4Network((start, prefix)) for start, prefix in found] == [*whole.subnets()]


@pytest.mark.parametrize(("kind", "number"), [("add", 24), ("delete", 25)])
def test_message(kind: str, number: int) -> None:
    """It has the length of both its parts, and the network in the order of the wire."""
    found = message(kind, int(IPv4Address("10.218.2.0")), 25)
    assert len(found) == int.from_bytes(found[:4], "little") == 36
    assert int.from_bytes(found[4:6], "little") == number
    assert found[17] == 25
    assert found[-4:] == bytes([10, 218, 2, 0])
