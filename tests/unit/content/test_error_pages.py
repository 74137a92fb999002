"""The pages for what went wrong."""

import pytest
from django.http import HttpRequest
from django.test import Client
from django.views.defaults import server_error
from pytest_django.asserts import assertContains

from tests.factories import UserFactory


@pytest.mark.django_db
def test_not_found(client: Client) -> None:
    """Says so, with the way back, whoever asks."""
    assertContains(client.get("/nothing/"), "This page doesn't exist", status_code=404)
    client.force_login(UserFactory())
    assertContains(client.get("/nothing/"), "Log out", status_code=404)


def test_server_error() -> None:
    """Needs no database, no session and no user."""
    assertContains(server_error(HttpRequest()), "Something went wrong", status_code=500)
