"""A process that commits a call and is killed before it can send the wake-up."""

import os
import signal
from typing import Any

import django


def die(calls: Any) -> None:
    """What happens in place of the wake-up."""
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    django.setup()

    from django.db import transaction

    from aftercommit.db import hook
    from tests.integration.outbox import tasks

    hook.wake_tasks = die
    with transaction.atomic():
        tasks.make_group.delay_on_commit(name="a")
