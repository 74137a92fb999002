"""``self.outbox`` for the test cases of unittest and Django."""

import unittest
from typing import TYPE_CHECKING

from aftercommit.contrib.testing.outbox import Outbox, watch_outbox

if TYPE_CHECKING:
    _TestCase = unittest.TestCase
else:
    _TestCase = object


class OutboxTestMixin(_TestCase):
    """Give each test its ``outbox``: ``class OrderTests(OutboxTestMixin, TestCase)``."""

    _outbox: Outbox | None = None

    def setUp(self) -> None:
        """Begin to watch the calls of the test."""
        super().setUp()
        self._outbox = self.enterContext(watch_outbox())

    @property
    def outbox(self) -> Outbox:
        """Return the outbox of this test."""
        if self._outbox is None:
            raise RuntimeError(
                f"{type(self).__name__}.outbox begins in setUp(). Call super().setUp() in yours, "
                "and name OutboxTestMixin before TestCase."
            )
        return self._outbox
