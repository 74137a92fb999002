"""A person's sessions, which end with their account."""

from importlib import import_module
from typing import Any

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session

from core.forgetting.person import Person
from core.forgetting.places import Cleaner, OwnRows, ReadRows, Rows, register_place


def known_of(person: Person) -> Rows:
    """Return the sessions that are recorded for the user."""
    return UserSession.objects.filter(user=person.user_id)


def end(known: Rows) -> None:
    """End the sessions wherever they are stored, in a cache too, and delete their records."""
    store = import_module(settings.SESSION_ENGINE).SessionStore()
    for key in known.values_list("session_key", flat=True):
        store.delete(key)
    known.delete()


def cleaner(person: Person) -> Cleaner:
    """Return the function that finds sessions that nobody recorded. What a session has is coded.

    It looks for no name: one like "password" is a word that each session has.
    """

    def is_theirs(session: Any) -> bool:
        data: dict[str, Any] = session.get_decoded()
        is_own = data.get(SESSION_KEY) == str(person.user_id)
        return is_own or bool(person.redact(data) != data)

    return is_theirs


register_place(OwnRows("known sessions", ("usersessions.usersession",), known_of, end))
register_place(ReadRows("sessions", ("sessions.session",), Session, cleaner))
