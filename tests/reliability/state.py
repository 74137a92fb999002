"""What the tests look at: the effects that were had, and what is left to do."""

from aftercommit.models import OutboxBatch, OutboxCall
from aftercommit.outbox.turns import read_turns
from content.models import Product
from core.stack.waiting import wait_until

TIMEOUT = 60


def written() -> list[str]:
    """The names that tasks wrote, one for each time that they did."""
    return sorted(Product.objects.values_list("name", flat=True))


def wait_settled() -> None:
    """Wait until every call is settled, and no journal is left."""
    wait_until(lambda: not (OutboxCall.objects.exists() or journals()), TIMEOUT, left)


def wait_answered(task: str) -> None:
    """Wait until no wake-up of the task is under way: one that is lost would hold back the next."""
    target = ("default", task)
    wait_until(
        lambda: not read_turns([target])[target].is_woken, TIMEOUT, "every wake-up to be answered"
    )


def wait_held(status: str) -> OutboxCall:
    """The one call that is left in the outbox, once it waits for a person with this status."""
    held = OutboxCall.objects.filter(status=status)
    wait_until(lambda: held.exists() and not journals(), TIMEOUT, left)
    return OutboxCall.objects.get()


def journals() -> bool:
    """Whether a batch's journal is left."""
    return OutboxBatch.objects.exists()


def left() -> str:
    """What is in the outbox, for a message."""
    rows = OutboxCall.objects.values_list("task", "status", "attempts", "crashes", "error")
    batches = OutboxBatch.objects.values_list("task", "calls", "worker")
    return f"an outbox at rest; it has {list(rows)}, and the journals {list(batches)}"
