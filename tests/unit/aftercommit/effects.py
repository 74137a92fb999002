"""Tasks of the tests: what they do is a row in the database, or a line in a list."""

from collections.abc import Callable, Sequence
from typing import Any

from celery import shared_task
from django.contrib.auth.models import Group

from aftercommit.call import Call
from aftercommit.context import Context, current

received: list[Any] = []
"""What the tasks were called with, whether or not their transaction committed."""

batches: list[list[str]] = []
"""The names in each batch that ``make_groups`` was called with."""

contexts: list[Context] = []

_act: dict[str, Callable[[Any], Any]] = {}


def reset() -> None:
    """Forget what was received and how the tasks should act."""
    received.clear()
    batches.clear()
    contexts.clear()
    _act.clear()


def act(name: str, function: Callable[[Any], Any]) -> None:
    """Have the task for ``name`` call the function, after it made its effect."""
    _act[name] = function


def names() -> list[str]:
    """The effects that the database holds, in their order."""
    return list(Group.objects.order_by("pk").values_list("name", flat=True))


def _do(name: str) -> None:
    received.append(name)
    contexts.append(current())
    Group.objects.create(name=name)
    _act.get(name, lambda _: None)(name)


@shared_task(max_retries=2, retry_backoff=False, default_retry_delay=0)
def make_group(name: str) -> None:
    """One row; a second of the same name is an error."""
    _do(name)


@shared_task(max_retries=None, retry_jitter=False)
def make_group_patiently(name: str) -> None:
    """The same, tried for ever."""
    _do(name)


@shared_task(bind=True, max_retries=2)
def make_group_bound(self: Any, name: str) -> None:
    """The same, as a bound task."""
    received.append(self.request.retries)
    try:
        _do(name)
    except ValueError as error:
        raise self.retry(exc=error, countdown=0) from error


@shared_task(batch=True, max_retries=2, retry_backoff=False, default_retry_delay=0)
def make_groups(calls: Sequence[Call]) -> None:
    """A row for each call of the batch."""
    batches.append([call.kwargs["name"] for call in calls])
    for call in calls:
        _do(call.kwargs["name"])


NAME_GROUPS = """
    INSERT INTO auth_group (name)
    SELECT concat_ws(' ', kwargs ->> 'name', nullif(actor, ''), nullif(address, '')) FROM calls
    WHERE kwargs ->> 'name' NOT LIKE 'nothing%'
"""


@shared_task(
    sql=NAME_GROUPS, batch_size=5, max_retries=2, retry_backoff=False, default_retry_delay=0
)
def name_group(name: str) -> None:
    """A row with the call's context, by a statement where the database takes one."""
    received.append(name)
    context = current()
    if not name.startswith("nothing"):
        named = filter(None, (name, context.actor, context.address))
        Group.objects.create(name=" ".join(named))


@shared_task(atomic=False, max_retries=2, retry_backoff=False, default_retry_delay=0)
def send_outside(name: str) -> None:
    """An effect that no rollback takes back."""
    received.append(name)
    _act.get(name, lambda _: None)(name)


@shared_task(atomic=False, reject_on_worker_lost=True, max_retries=2)
def send_again(name: str) -> None:
    """One that may run again after its process was lost."""
    received.append(name)
    _act.get(name, lambda _: None)(name)


@shared_task
def take_values(**values: Any) -> None:
    """Whatever it is given, kept."""
    received.append(values)


TASKS = [
    task.name
    for task in (
        make_group,
        make_group_bound,
        make_group_patiently,
        make_groups,
        name_group,
        send_outside,
        send_again,
        take_values,
    )
]
