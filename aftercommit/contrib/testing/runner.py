"""Run a call of a test as a worker does, also where the test's transaction is around it."""

from typing import Any

from django.db import connections

from aftercommit.call import Call
from aftercommit.contrib.testing.callbacks import is_test_transaction
from aftercommit.worker.runner import Runner


class CallRunner(Runner):
    """Runs calls. An outside call that breaks the transaction of a TestCase breaks nothing else.

    In a worker each statement of such a call is a transaction of its own, so that the statements
    after one that fails go on.
    """

    def run(self, call: Call) -> Any:
        """Run the call, in a savepoint that is rolled back if the transaction can't go on."""
        if self.options.atomic or not is_test_transaction(call.using):
            return super().run(call)
        connection = connections[call.using]
        # No atomic(): Django would refuse the call's own atomic(durable=True) in it.
        savepoint = str(connection.savepoint())
        try:
            return super().run(call)
        finally:
            if connection.needs_rollback or not connection.is_usable():
                connection.needs_rollback = False
                connection.savepoint_rollback(savepoint)
            connection.savepoint_commit(savepoint)
