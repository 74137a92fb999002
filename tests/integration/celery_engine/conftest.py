"""pytest-celery on the chosen engine, for the tests of this folder."""

from types import ModuleType

import pytest

from tests.celery_engine.fixtures import (  # noqa: F401  # fixtures: used by their names
    celery_backend_cluster,
    celery_broker_cluster,
    celery_redis_backend,
    celery_setup_app,
    docker_client,
)
from tests.integration.celery_engine import tasks


@pytest.fixture
def default_worker_tasks(default_worker_tasks: set[ModuleType]) -> set[ModuleType]:
    """pytest-celery's tasks and this folder's."""
    return {*default_worker_tasks, tasks}


@pytest.fixture
def default_worker_command(default_worker_command: list[str]) -> list[str]:
    """A worker that doesn't spend its first second on asking others what it missed."""
    return [*default_worker_command, "--without-mingle", "--without-gossip"]
