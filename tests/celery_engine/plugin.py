"""The pytest plugin that adds ``--celery-engine``. The fixtures are in ``tests/conftest.py``."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.getgroup("celery").addoption(
        "--celery-engine",
        choices=("process", "docker"),
        default="process",
        help="what the tests' workers are: local processes (default), or Docker containers",
    )
