"""What every test of the log needs."""

from collections.abc import Callable

import pytest
from django.db.models import Model

from aftercommit.contrib.testing import Outbox
from audit.models import AuditLog


@pytest.fixture
def logged(outbox: Outbox) -> Callable[[Model], list[AuditLog]]:
    """The entries about an object, newest first, once everything due is written."""

    def written(instance: Model) -> list[AuditLog]:
        outbox.drain()
        return list(AuditLog.objects.for_object(instance))

    return written


@pytest.fixture
def last(logged: Callable[[Model], list[AuditLog]]) -> Callable[[Model], AuditLog]:
    """The newest entry about an object."""
    return lambda instance: logged(instance)[0]
