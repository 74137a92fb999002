"""The fixture that makes a page's project."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection

from core.stack.redis_server import RedisServer
from core.stack.servers import ServerError
from tests.integration.recipes.page import phases, read_page
from tests.integration.recipes.recipe import Make, Recipe, Surroundings
from tests.tools.servers.rabbitmq import RabbitMQServer

REDIS = "redis://localhost:6379/0"
RABBITMQ = "amqp://guest:guest@localhost:5672//"


def database() -> dict[str, Any]:
    """Return a database that is not there yet: on the run's server, or a file."""
    engine = f"django.db.backends.{connection.settings_dict['ENGINE'].rpartition('.')[2]}"
    if connection.vendor == "sqlite":
        return {"ENGINE": engine, "NAME": "db.sqlite3"}
    names = ("HOST", "PORT", "USER", "PASSWORD")
    login = {name: connection.settings_dict[name] for name in names}
    return {"ENGINE": engine, "NAME": f"recipe_{uuid4().hex[:8]}", **login}


@pytest.fixture
def recipe(unpacked: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Make]:
    """Return a function that makes a project, with the files that a page begins with.

    ``recipe("how-to/async.md", project="", redis=server)``: without ``redis`` the broker is in the
    process's memory, which no worker shares.
    """
    with ExitStack() as made:

        def make(
            page: str = "",
            project: str = "",
            redis: RedisServer | None = None,
            rabbitmq: RabbitMQServer | None = None,
            packages: Sequence[Path] = (),
        ) -> Recipe:
            servers = {REDIS: redis, RABBITMQ: rabbitmq}
            addresses = {name: server.url for name, server in servers.items() if server}
            folder = tmp_path / f"project{len(list(tmp_path.iterdir()))}"
            folder.mkdir()
            blocks = read_page(page).projects[project] if page else []
            adopted = all(block.base == "adopted" for block in blocks)
            named = read_page(page).packages if page else ""
            own = [request.getfixturevalue(named)] if named else []
            around = Surroundings(unpacked, database(), addresses, [*own, *packages])
            new = Recipe(folder, around, adopted)
            made.callback(new.restart)
            new.write_blocks(phases(blocks)[0].files)
            return new

        yield make


@pytest.fixture
def rabbitmq() -> Iterator[RabbitMQServer]:
    """Return a RabbitMQ that the test may kill. A run without one has begun by saying so."""
    try:
        server = RabbitMQServer()
    except ServerError as error:
        pytest.skip(f"Not shown: that RabbitMQ works. {error}")
    with server:
        yield server


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    """Return a broker that the test may kill."""
    with RedisServer() as server:
        yield server
