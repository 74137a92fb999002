"""Making a backlog quickly (one entry as the library writes it, and copies), and emptying it."""

import copy
import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

from django.db import connection
from django.db.models import Model

from benchmarks.contender import CHUNK, Contender
from benchmarks.marks import CELERY, OURS

UNREAD = "unread"
"""A queue of Celery's that no worker reads."""


def chunks(count: int) -> Iterator[range]:
    """The numbers below ``count``, as many at a time as one transaction makes."""
    for start in range(0, count, CHUNK):
        yield range(start, min(start + CHUNK, count))


def add_copies(first: Model, numbers: range, change: Callable[[Any, int], None]) -> list[Any]:
    """Insert a copy of ``first`` for each number, changed by ``change(copy, number)``.

    How a backlog came to be is not measured, and a library that inserts a row a statement would
    take minutes for a deep one.
    """
    made = []
    for number in numbers:
        each = copy.copy(first)
        each._state = copy.copy(first._state)
        each._state.adding = True
        each.pk = None
        change(each, number)
        made.append(each)
    return list(type(first)._base_manager.bulk_create(made))


def truncate(*models: type[Model]) -> None:
    """Delete all rows, and those that refer to them."""
    tables = ", ".join(f'"{model._meta.db_table}"' for model in models)
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {tables} CASCADE")


def fill(contender: Contender, kind: str, depth: int) -> None:
    """In a child: have so many effects wait.

    How they came to wait is not measured, and a backlog that grows slowly is half gone before it
    is deep: ours and Celery's are copies of one call and of one message.
    """
    copies = {OURS: copy_calls, CELERY: copy_messages}.get(contender.name)
    if copies is None:
        contender.enqueue(kind, depth)
    else:
        copies(contender, kind, depth)


def copy_calls(contender: Contender, kind: str, depth: int) -> None:
    """Ours, by the database itself, in one transaction."""
    from django.db import transaction

    from aftercommit.outbox.arguments import encode_arguments
    from aftercommit.outbox.carriers import encode_context

    task = contender.tasks.kinds[kind].name
    payload = encode_arguments(task, [], {"item_id": -1})
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO aftercommit_outboxcall (task, payload, context)
            SELECT %s, replace(%s, '-1', number::text), %s FROM generate_series(2, %s) AS number
            """,
            [task, payload, encode_context(), depth],
        )
        contender.add(kind, 1)  # its commit wakes the task


def copy_messages(contender: Contender, kind: str, depth: int) -> None:
    """Celery's, the first of which it has sent to a queue that no worker reads."""
    import redis
    from django.conf import settings

    task = contender.tasks.kinds[kind]
    sent = task.apply_async(kwargs={"item_id": 1}, queue=UNREAD)
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        first = client.lpop(UNREAD).decode()
        messages = [copy_message(first, sent.id, number) for number in range(depth)]
        for start in range(0, depth, CHUNK):
            client.lpush("celery", *messages[start : start + CHUNK])


def copy_message(first: str, sent_id: str, number: int) -> str:
    """The message for another item, with an id of its own."""
    message = json.loads(first.replace(sent_id, str(uuid4())).replace(UNREAD, "celery"))
    message["properties"]["delivery_tag"] = str(uuid4())
    args, kwargs, embedded = json.loads(b64decode(message["body"]))
    body = json.dumps([args, {**kwargs, "item_id": number}, embedded])
    return json.dumps({**message, "body": b64encode(body.encode()).decode()})
