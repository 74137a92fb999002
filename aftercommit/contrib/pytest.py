"""The fixture ``outbox``: the calls of a test, and the drain that runs them.

pytest loads this module in every environment that has the library installed. So it imports
nothing of Django before a test asks for the fixture.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from aftercommit.contrib.testing import Outbox


@pytest.fixture
def outbox() -> Iterator["Outbox"]:
    """Return the outbox of this test: ``outbox.calls``, ``outbox.assert_called``, ``outbox.drain``.

    The test needs a database, as for its models: ``@pytest.mark.django_db``.
    """
    from aftercommit.contrib.testing import watch_outbox  # Django must be set up by now

    with watch_outbox() as watched:
        yield watched
