"""Look at the calls of a test, and run them: ``Outbox``.

pytest has it as the fixture ``outbox`` (``aftercommit.contrib.pytest``), a ``TestCase`` as
``self.outbox`` (``OutboxTestMixin``).
"""

from aftercommit.contrib.testing.made_calls import Calls, MadeCall
from aftercommit.contrib.testing.mixin import OutboxTestMixin
from aftercommit.contrib.testing.outbox import Outbox, watch_outbox
from aftercommit.contrib.testing.report import FailedCall, Report
from aftercommit.contrib.testing.worker import EndlessCalls

__all__ = [
    "Calls",
    "EndlessCalls",
    "FailedCall",
    "MadeCall",
    "Outbox",
    "OutboxTestMixin",
    "Report",
    "watch_outbox",
]
