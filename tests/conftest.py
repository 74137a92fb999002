"""pytest-celery's fixtures for this project, of which any test may ask.

Imported here, since those of a conftest come before those of pytest-celery's installed plugin.
"""

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
]
