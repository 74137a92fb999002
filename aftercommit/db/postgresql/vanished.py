"""Let a connection notice soon that its server's host has vanished.

Such a host answers nothing. Without the parameters below a process waits for it for minutes, and a
site with all its threads. With them each process waits for 6 to 11 seconds.
"""

import os
from collections.abc import Mapping
from typing import Any

PARAMETERS: Mapping[str, int] = {
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 6000,  # in milliseconds, the others in seconds
}
"""The defaults of libpq's parameters. libpq ignores them for a Unix socket.

https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
"""


def complete(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the connection's parameters with the defaults for those that the project left open.

    A connection service (``service`` in OPTIONS) has parameters of its own, which the defaults
    would override. So would they override PGCONNECT_TIMEOUT.
    """
    if "service" in params or "PGSERVICE" in os.environ:
        return dict(params)
    defaults = dict(PARAMETERS)
    if "PGCONNECT_TIMEOUT" in os.environ:
        del defaults["connect_timeout"]
    return {**defaults, **params}
