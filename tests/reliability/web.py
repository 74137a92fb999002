"""The site as the web server runs it, stopped at the point that its environment names."""

import os

from django.db import DEFAULT_DB_ALIAS, connections

from core.asgi import application
from tests.reliability import points

__all__ = ["application", "points"]

if "ATOMIC_REQUESTS" in os.environ:
    connections.settings[DEFAULT_DB_ALIAS]["ATOMIC_REQUESTS"] = True
