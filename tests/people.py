"""Users as sign-up leaves them: with an address that they have verified, or not."""

from typing import Any

from django.contrib.auth.models import User

from tests.factories import UserFactory


def make_user(name: str = "", *, verified: bool = True, **fields: Any) -> User:
    """Make a user, who logs in with ``tests.factories.PASSWORD``.

    ``verified=False`` leaves the address as a sign-up does until its owner follows the link.
    """
    if name:
        fields["username"] = name
    user: User = UserFactory(verified=verified, **fields)
    return user
