"""Who may do what in our RabbitMQ: the site everything, and Flower what it needs."""

import json
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

SITE, FLOWER = "aftercommit", "flower"
VHOST = "/"

ALL = ".*"
OF_FLOWER = r"^(celeryev(\..*)?|celery\.pidbox|(.*\.)?reply\.celery\.pidbox)$"
"""The events of workers, and the remote control of workers with its answers.

Flower can neither send tasks nor read messages.
"""


def definitions(password: str, flower_password: str) -> str:
    """Return the users and their rights as RabbitMQ imports them, with hashes of the passwords."""
    users = {SITE: (password, ALL), FLOWER: (flower_password, OF_FLOWER)}
    made: Mapping[str, list[dict[str, Any]]] = {
        "vhosts": [{"name": VHOST}],
        "users": [_user(name, word) for name, (word, _) in users.items()],
        "permissions": [_permission(name, queues) for name, (_, queues) in users.items()],
    }
    return json.dumps(made, indent=1)


def _user(name: str, password: str) -> dict[str, Any]:
    return {
        "name": name,
        "password_hash": hashed(password, sha256(name.encode()).digest()[:4]),
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": [],
    }


def hashed(password: str, salt: bytes) -> str:
    """Return the password as RabbitMQ keeps it. The salt has four bytes."""
    return b64encode(salt + sha256(salt + password.encode()).digest()).decode()


def _permission(user: str, names: str) -> dict[str, str]:
    return {"user": user, "vhost": VHOST, **dict.fromkeys(("configure", "write", "read"), names)}
