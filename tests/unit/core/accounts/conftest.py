"""What the tests of accounts share."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core import mail
from pytest_django import Settings

from aftercommit.contrib.testing import Outbox


@pytest.fixture(autouse=True)
def quick_hasher(settings: Settings) -> None:
    """Let nobody wait for a hash that is slow on purpose."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def mails(outbox: Outbox) -> Callable[[], list[Any]]:
    """Have the worker send what is to be sent, and return the mails since the last look."""

    def send() -> list[Any]:
        outbox.drain()
        found, mail.outbox = [*mail.outbox], []
        return found

    return send
