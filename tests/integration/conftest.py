"""The wheel of this run, for all tests of what a user gets."""

from pathlib import Path

import pytest

from tests.integration.package import share_packages, share_unpacked, share_wheel


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Return the library's wheel. It is built once in a run, for all of its processes."""
    return share_wheel(_folder_of_run(tmp_path_factory, worker_id))


@pytest.fixture(scope="session")
def engines(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Return a folder with the packages of other people's ENGINEs. They need the network."""
    return share_packages("engines", _folder_of_run(tmp_path_factory, worker_id))


@pytest.fixture(scope="session")
def celery_outbox(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Return a folder with django-celery-outbox and its packages. They need the network."""
    return share_packages("celery_outbox", _folder_of_run(tmp_path_factory, worker_id))


@pytest.fixture(scope="session")
def kubernetes(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Return a folder with what checks manifests. It needs the network."""
    return share_packages("kubernetes", _folder_of_run(tmp_path_factory, worker_id))


def _folder_of_run(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Return the folder that all processes of this run share."""
    own = tmp_path_factory.getbasetemp()
    return own if worker_id == "master" else own.parent


@pytest.fixture(scope="session")
def unpacked(wheel: Path, tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Return a folder with what the wheel installs, and nothing else."""
    return share_unpacked(wheel, _folder_of_run(tmp_path_factory, worker_id))
