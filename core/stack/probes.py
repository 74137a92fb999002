"""Probes that ask a process of the stack as its users would."""

import socket
import urllib.error
import urllib.request

from celery import Celery
from kombu.exceptions import OperationalError

from core.stack.ports import LOOPBACK

DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Connects directly, whatever proxy the environment names."""


def http_answers(url: str) -> bool:
    """Return whether a page is served there without an error of the server."""
    try:
        with DIRECT.open(url, timeout=5) as response:
            return bool(response.status < 500)
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False


def smtp_answers(port: int) -> bool:
    """Return whether a mail server greets."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=2) as connection:
            return connection.recv(3) == b"220"
    except OSError:
        return False


def node_answers(broker_url: str, node: str) -> bool:
    """Return whether a Celery worker, or beat, replies to a ping through the broker."""
    with Celery(broker=broker_url, set_as_current=False) as app:
        app.conf.broker_transport_options = {"socket_connect_timeout": 2, "socket_timeout": 5}
        try:
            return bool(app.control.ping(destination=[node], timeout=1))
        except (OperationalError, OSError):
            return False
