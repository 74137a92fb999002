"""Let all packets that a container sends vanish, or no longer. The tests give this to Python there.

A program in the container's network runs this as ``python -c TEXT add`` or ``... delete``. Each of
the container's routes gets two halves that lead nowhere. The kernel still answers who has which
address, so that its peers wait for it as for a host that lost its power behind a router: nobody
says no to them.
"""

import socket
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

FAMILY, MAIN_TABLE, STATIC, UNIVERSE, BLACK_HOLE, TO = socket.AF_INET, 254, 4, 0, 6, 1
REQUEST, ACKNOWLEDGE, CREATE = 1, 4, 0x400
KINDS = {"add": 24, "delete": 25}
"""Netlink's numbers: https://www.man7.org/linux/man-pages/man7/rtnetlink.7.html"""


def routes() -> Iterator[tuple[int, int]]:
    """Yield the networks of the container's routes, each with the length of its prefix."""
    with Path("/proc/net/route").open() as lines:
        next(lines)
        for line in lines:
            words = line.split()
            if words[0] != "*":  # as a black hole has it
                network, mask = (socket.ntohl(int(words[at], 16)) for at in (1, 7))
                yield network, mask.bit_count()


def halves(network: int, prefix: int) -> Iterator[tuple[int, int]]:
    """Yield the two halves of a network."""
    yield network, prefix + 1
    yield network | 1 << (31 - prefix), prefix + 1


def message(kind: str, network: int, prefix: int) -> bytes:
    """Return what tells the kernel to add or delete the black hole for a network."""
    flags = REQUEST | ACKNOWLEDGE | (CREATE if kind == "add" else 0)
    route = struct.pack(
        "=8BI", FAMILY, prefix, 0, 0, MAIN_TABLE, STATIC, UNIVERSE, BLACK_HOLE, 0
    ) + struct.pack("=HH4s", 8, TO, network.to_bytes(4, "big"))
    return struct.pack("=IHHII", 16 + len(route), KINDS[kind], flags, 1, 0) + route


def tell(kind: str) -> None:
    """Add or delete all black holes. Raises OSError."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as kernel:
        for network, prefix in [half for each in routes() for half in halves(*each)]:
            kernel.send(message(kind, network, prefix))
            (code,) = struct.unpack_from("=i", kernel.recv(4096), 16)
            if code:
                raise OSError(-code, f"The kernel did not {kind} the black hole.")


if __name__ == "__main__":
    tell(sys.argv[1])
