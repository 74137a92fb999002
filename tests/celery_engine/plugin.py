"""The pytest plugin: ``--celery-engine``, and the fixtures that any test may use."""

import gc
import warnings
from typing import Literal

import docker
import pytest
from docker.errors import DockerException
from requests.exceptions import RequestException

from tests.celery_engine.project import broker, celery_worker_process

__all__ = ["broker", "celery_worker_process"]  # fixtures: pytest finds them by their names

Engine = Literal["process", "docker"]

CHOSEN = pytest.StashKey[Engine]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.getgroup("celery").addoption(
        "--celery-engine",
        choices=("process", "docker", "auto"),
        default="auto",
        help="what pytest-celery's brokers and workers are: local processes, Docker containers, "
        "or containers where a Docker engine answers and processes where none does (default: auto)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Choose the engine once."""
    option = config.getoption("--celery-engine")
    config.stash[CHOSEN] = option if option != "auto" else available_engine()


def pytest_report_header(config: pytest.Config) -> str:
    """Say what was chosen."""
    option = config.getoption("--celery-engine")
    return f"celery engine: {config.stash[CHOSEN]} (--celery-engine={option})"


def available_engine() -> Engine:
    """``docker`` if a Docker engine answers here, ``process`` if none does."""
    with warnings.catch_warnings():
        # docker-py leaves its socket open when nothing answers: let it go, and say nothing.
        warnings.simplefilter("ignore", ResourceWarning)
        answers = docker_answers()
        gc.collect()
    return "docker" if answers else "process"


def docker_answers() -> bool:
    """Whether the Docker engine of this environment (``DOCKER_HOST``) answers."""
    try:
        client = docker.from_env(timeout=5)
    except DockerException:
        return False
    try:
        return bool(client.ping())
    except (DockerException, RequestException):
        return False
    finally:
        client.close()
