"""System checks of this site."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
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


@register(Tags.files)
def check_data_folder(**kwargs: Any) -> list[CheckMessage]:
    """Name a data folder in which nothing can be written, and whose it is."""
    folder = Path(settings.VAR_DIR)
    if not folder.exists() or os.access(folder, os.W_OK | os.X_OK):
        return []
    user, group, owner = os.geteuid(), os.getegid(), folder.stat().st_uid
    return [
        Error(
            f"VAR_DIR={folder} can't be written by user {user}. It is that of user {owner}.",
            hint=f"Run: chown -R {user}:{group} {folder}. Or set VAR_DIR to another folder.",
            id="core.E002",
        )
    ]


def _describe(alias: str) -> str:
    connection = connections[alias]
    name = str(connection.settings_dict["NAME"])
    return refusal(name, name if connection.vendor == "sqlite" else "")
