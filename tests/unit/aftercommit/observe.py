"""What a test looks at from outside: the statements that run, and what a save tells receivers."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from django.db import connections, models
from django.db.models.signals import post_save
from django.test.utils import CaptureQueriesContext

TABLE = re.compile(r'(?:FROM|INTO|UPDATE)\s+["`]?(\w+)')


@contextmanager
def statements(using: str = "default") -> Iterator[list[str]]:
    """The statements of the block, as verb and table: ``["BEGIN", "UPDATE content_product"]``."""
    seen: list[str] = []
    with CaptureQueriesContext(connections[using]) as queries:
        yield seen
    seen += [_summary(query["sql"]) for query in queries]


def _summary(sql: str) -> str:
    table = TABLE.search(sql)
    return " ".join([sql.split()[0].rstrip(";"), *([table[1]] if table else [])])


class Save(NamedTuple):
    """What a receiver of post_save sees."""

    created: bool
    changes: dict[str, tuple[Any, Any]]


@contextmanager
def saves(model: type[models.Model]) -> Iterator[list[Save]]:
    """Each save of the model in the block, as a receiver of post_save sees it."""
    seen: list[Save] = []

    def see(instance: Any, created: bool, **kwargs: Any) -> None:
        seen.append(Save(created, instance.changes()))

    post_save.connect(see, sender=model)
    try:
        yield seen
    finally:
        post_save.disconnect(see, sender=model)


@contextmanager
def receiver_of(signal: Any, sender: Any, function: Any) -> Iterator[None]:
    """The function, called with the instance at each signal of the sender in the block."""

    def receive(instance: Any, **kwargs: Any) -> None:
        function(instance)

    signal.connect(receive, sender=sender)
    try:
        yield
    finally:
        signal.disconnect(receive, sender=sender)
