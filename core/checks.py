"""System checks of this site."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections

from core.former_data import FORMER_TABLE, refusal


@register(Tags.database)
def check_former_data(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Refuse to migrate a database of an earlier version, before anything is changed in it."""
    return [
        Error(_describe(alias), id="core.E001")
        for alias in databases or ()
        if FORMER_TABLE in connections[alias].introspection.table_names()
    ]


def _describe(alias: str) -> str:
    connection = connections[alias]
    name = str(connection.settings_dict["NAME"])
    return refusal(name, name if connection.vendor == "sqlite" else "")
