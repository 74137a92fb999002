"""Fixtures of which any test may ask: pytest-celery's for this project, and the library's own.

pytest-celery's are imported here, since those of a conftest come before those of its installed
plugin. The library's plugin is not installed here.
"""

from aftercommit.contrib.pytest import outbox
from tests.celery_engine.project import (
    broker,
    celery_backend_cluster,
    celery_broker_cluster,
    celery_setup_app,
    celery_worker_cluster,
    docker_client,
)

__all__ = [  # fixtures: pytest finds them by their names
    "broker",
    "celery_backend_cluster",
    "celery_broker_cluster",
    "celery_setup_app",
    "celery_worker_cluster",
    "docker_client",
    "outbox",
]
