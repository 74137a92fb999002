"""What several of these tests compare the pages with."""

from collections.abc import Mapping
from typing import Any

from core.stopping import default_time_limit
from tests.unit.core.stack.test_compose import SERVICES

STOPS_WITHIN = int(SERVICES["worker"]["environment"]["WORKER_STOPS_WITHIN"].strip("${}")[-3:])
"""The seconds that Compose gives a worker to stop, if nobody says otherwise."""

TIME_LIMIT = int(default_time_limit(STOPS_WITHIN))
PROGRAMS = ("migrate", "web", "worker", "beat")
"""The programs of the site. Flower is apart."""


def named_files(environment: Mapping[str, Any]) -> dict[str, Any]:
    """Return the variables that name the file of a secret."""
    return {name: value for name, value in environment.items() if name.endswith("_FILE")}
