"""What a session does to rows by its instances, and what that means for the history."""

import re
from collections.abc import Iterable
from contextlib import nullcontext
from typing import Any

from django.db import DatabaseError, IntegrityError, OperationalError, models
from django.db.models.signals import post_save

from content.models import Author, Profile
from tests.reliability.history import (
    AUTHOR,
    CATEGORY,
    USER,
    Change,
    Rows,
    Values,
    created,
    deleted,
    updated,
)
from tests.reliability.observed import key_of, values_of
from tests.reliability.sessions import RollBackError, Session
from tests.unit.aftercommit.observe import receiver_of

COUNTED_BY = {"author_id": AUTHOR, "category_id": CATEGORY}


class Operations:
    """The operations of a session; ``contended`` says that another has a transaction open."""

    def __init__(self, session: Session, contended: bool) -> None:
        self.session = session
        self.rows: Rows = session.rows
        self.contended = contended

    def load(self, model: type[models.Model], pk: int, deferred: Iterable[str] = ()) -> None:
        """Hold an instance as the database has it."""
        rows = model._base_manager.defer(*deferred)
        self.session.hold(self.session.run(lambda: rows.get(pk=pk)))

    def refresh(self, instance: Any) -> None:
        """Have the instance as the database has it; let it go if its row is gone."""
        if key_of(instance) in self.rows:
            self.session.run(instance.refresh_from_db)
        else:
            self.session.let_go(instance)

    def save(
        self,
        instance: Any,
        names: Iterable[str] | None = None,
        guarded: bool = False,
        fails: bool = False,
    ) -> None:
        """Save the instance, with a receiver that fails if it ``fails``."""
        if instance.pk is None and instance.get_deferred_fields():
            self.session.let_go(instance)  # Django can't save what was deleted and not loaded whole
            return
        row = self.rows.get(key_of(instance))
        names = None if names is None else list(names)
        expressions = [n for n, v in vars(instance).items() if hasattr(v, "as_sql")]
        if row is None:
            vars(instance).update(dict.fromkeys(expressions, 1))  # no row to compute them from

        def save() -> list[Change]:
            with receiver_of(post_save, type(instance), _fail) if fails else nullcontext():
                instance.save(update_fields=names)
            if row and expressions:
                instance.refresh_from_db(fields=expressions)
            return _people(instance) if row is None else []

        people = self._attempt(save, guarded, fails, gone=row is None)
        if people is None:
            return
        values = values_of(instance)
        if row is None:
            self.session.did(created(key_of(instance), values), *people)
        else:
            written = {n: v for n, v in values.items() if names is None or n in names}
            self.session.did(updated(key_of(instance), row, written))

    def delete(self, instance: Any, guarded: bool = False) -> None:
        """Delete the instance's row, if it is still there."""
        key = key_of(instance)
        changes = list(deleted(self.rows, key)) if key in self.rows else []
        if self._attempt(instance.delete, guarded) is not None:
            self.session.did(*changes)

    def delete_all(self, model: type[models.Model], guarded: bool, **conditions: Any) -> None:
        """Delete the rows that have these values, by a queryset."""
        gone = [
            change
            for key in self._matching(model, conditions)
            for change in deleted(self.rows, key)
        ]
        rows = model._base_manager.filter(**conditions)
        if self._attempt(rows.delete, guarded) is not None:
            self.session.did(*gone)

    def update_all(self, model: type[models.Model], values: Values, **conditions: Any) -> None:
        """Change the rows that have these values, by a queryset: the log doesn't hear of it."""
        changes = [Change(key, values) for key in self._matching(model, conditions)]
        rows = model._base_manager.filter(**conditions)
        if self._attempt(lambda: rows.update(**values)) is not None:
            self.session.did(*changes)

    def create_all(self, instances: list[Any]) -> None:
        """Create the rows at once: the log doesn't hear of it."""
        manager = type(instances[0])._base_manager
        if self._attempt(lambda: manager.bulk_create(instances)) is not None:
            self.session.did(*(Change(key_of(each), values_of(each)) for each in instances))

    def would_copy_a_counter(self, instance: Any) -> bool:
        """Whether a save would make a row anew, with a number that it had before."""
        key = key_of(instance)
        if key[0] != CATEGORY or key in self.rows:
            return False
        was_there = key in self.session.history.log or any(
            change.key == key for change in self.session.changes
        )
        return was_there or instance.article_count > 0

    def _matching(self, model: type[models.Model], conditions: Values) -> list[Any]:
        label = model._meta.label_lower
        return [
            key
            for key, row in self.rows.items()
            if key[0] == label and conditions.items() <= {**row, "pk": key[1]}.items()
        ]

    def _attempt(
        self, operation: Any, guarded: bool = False, fails: bool = False, gone: bool = False
    ) -> Any:
        """What the operation returns, or None if it failed as it may."""
        result = self.session.attempt(operation, guarded)
        match result:
            case RollBackError():
                assert fails
            case OperationalError():
                assert self.contended, result  # it waited for a lock that the other one has
            case IntegrityError():
                assert re.search("unique|duplicate|foreign key", str(result), re.IGNORECASE), result
            case DatabaseError():
                assert gone, result  # a save with update_fields
            case _:
                assert not fails
                return result
        return None


def _fail(instance: models.Model) -> None:
    raise RollBackError


def _people(user: Any) -> list[Change]:
    """The profile and the author that a new user got."""
    if user._meta.label_lower != USER:
        return []
    people = [model._base_manager.get(user_id=user.pk) for model in (Profile, Author)]
    return [created(key_of(each), values_of(each)) for each in people]
