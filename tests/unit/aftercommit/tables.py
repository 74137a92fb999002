"""Tables of models that only a test has."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, models


@contextmanager
def tables(*models_: type[models.Model]) -> Iterator[Any]:
    """The tables of the models, for the block."""
    with connection.schema_editor() as editor:
        for model in models_:
            editor.create_model(model)
    try:
        yield
    finally:
        with connection.schema_editor() as editor:
            for model in reversed(models_):
                editor.delete_model(model)
