"""What the tests of the site's pages share."""

import pytest
from django.test import Client

from content.models import Author
from tests.factories import AuthorFactory


@pytest.fixture
def author(client: Client) -> Author:
    """An author, who is logged in."""
    author = AuthorFactory()
    client.force_login(author.user)
    return author
