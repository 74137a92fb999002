"""A container's ports, as the host sees them and as they look from inside."""

import socket
from collections.abc import Mapping

from core.stack.ports import LOOPBACK


def is_open(port: int) -> bool:
    """Whether something accepts connections at the host's port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0


def socket_table(host_ports: Mapping[str, int]) -> bytes:
    """The listening ports in the form of ``/proc/net/tcp``, numbered as inside the container.

    pytest-docker-tools looks there for the port 6379 of a server that has another number here.
    ``host_ports`` maps "6379/tcp" to the host's number.
    """
    listening = [port for port, number in host_ports.items() if is_open(number)]
    rows = [f"0: 00000000:{int(port.split('/')[0]):04X} 00000000:0000 0A" for port in listening]
    return "\n".join(rows).encode()
