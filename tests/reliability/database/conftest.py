"""Two connections to the test's database, either of which a test may break."""

from collections.abc import Iterator

import pytest
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper

from tests.unit.aftercommit import effects
from tests.unit.aftercommit.conftest import _nothing_deferred  # noqa: F401  # a fixture


@pytest.fixture(autouse=True)
def _fresh(transactional_db: None) -> Iterator[None]:
    """Each test starts with tasks that succeed, and leaves no connection that it broke."""
    effects.reset()
    yield
    connection.close()


@pytest.fixture
def other() -> Iterator[BaseDatabaseWrapper]:
    """A second connection to the test's database."""
    wrapper: BaseDatabaseWrapper = connection.copy()
    wrapper.inc_thread_sharing()  # the test's threads take turns
    yield wrapper
    wrapper.close()
