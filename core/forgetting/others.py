"""What other packages' tables have of a person: addresses, the admin's own log, results."""

import json
from collections.abc import Iterator
from typing import Any

from allauth.account.models import EmailAddress
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django_celery_results.models import TaskResult

from core.forgetting.owned import is_named, is_of_user, is_owned
from core.forgetting.person import DELETED, Person
from core.forgetting.places import Cleaner, OwnRows, ReadRows, Rows, Stage, register_place

RESULT_TEXTS = ("task_args", "task_kwargs", "result", "traceback", "meta")


def addresses_of(person: Person) -> Rows:
    """Return the addresses of the account. Their confirmations go with them."""
    return EmailAddress.objects.filter(user=person.user_id)


def actions_of(person: Person) -> Rows:
    """Return what the person did in the admin. The audit log has it, too, and keeps it."""
    return LogEntry.objects.filter(user=person.user_id)


def find_results(person: Person) -> Cleaner:
    """Return the function that finds results with something of the person."""
    return lambda row: any(person.is_in(getattr(row, name)) for name in RESULT_TEXTS)


def clean_actions(person: Person) -> Cleaner:
    """Return the function that takes the person out of what others did in the admin."""
    labels = {each.pk: f"{each.app_label}.{each.model}" for each in ContentType.objects.all()}

    def clean(entry: Any) -> bool:
        row = (person, labels.get(entry.content_type_id, ""), entry.object_id)
        before = (entry.object_repr, entry.change_message)
        if is_owned(*row) or is_named(*row) or _is_told(entry, person, is_of_user(row[1])):
            entry.object_repr, entry.change_message = DELETED, ""
        return before != (entry.object_repr, entry.change_message)

    return clean


def _is_told(entry: Any, person: Person, is_of_user: bool) -> bool:
    """Return whether the entry has an address of the person, or names something of theirs.

    Their name is looked for in names of rows of users alone. Other texts have words such as
    "changed", which can be a name as well.
    """
    texts = [entry.object_repr, entry.change_message]
    names = [*_objects(entry.change_message), entry.object_repr if is_of_user else ""]
    return person.redact(texts) != texts or any(map(person.is_in, names))


def _objects(message: str) -> Iterator[str]:
    """Yield the names of rows in a message, or the message if it isn't made by the admin."""
    try:
        parts = [part for each in json.loads(message) for part in each.values()]
        yield from (str(part["object"]) for part in parts if "object" in part)
    except (ValueError, TypeError, AttributeError):
        yield message


register_place(OwnRows("addresses", ("account.emailaddress",), addresses_of))
register_place(OwnRows("actions in the admin", ("admin.logentry",), actions_of))
register_place(
    ReadRows(
        "actions of others in the admin",
        (),
        LogEntry,
        clean_actions,
        ("object_repr", "change_message"),
        Stage.LOG,
    )
)
register_place(ReadRows("results", (), TaskResult, find_results))
