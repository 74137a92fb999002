"""The mixin of models whose changes others follow: what changes, who changes it, and deletions."""

from typing import Any

from django.db import models, router, transaction

from aftercommit.tracking.saving import SavedChangesMixin


class AuditableMixin(SavedChangesMixin):
    """A model whose instances know what they were loaded as and who changes them.

    ``save()`` runs in one transaction with its signals, as Django's ``delete()`` does, so that what
    a receiver hands to ``delay_on_commit`` commits with the change also in autocommit mode. It
    costs no extra query, but where a value can't be known otherwise: a deferred field that was
    assigned, an expression such as ``F("stock") - 1``, an instance built by hand for a row that
    exists.

    Name it before ``models.Model``: ``class Product(AuditableMixin, models.Model)``.
    """

    _current_user: Any = None

    def set_current_user(self, user: Any) -> None:
        """Have ``user`` make the changes from here on, whoever the request's user is."""
        self._current_user = user

    @property
    def current_user(self) -> Any:
        """Return the user that ``set_current_user`` named, or None."""
        return self._current_user

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        using = kwargs.get("using") or router.db_for_write(type(self), instance=self)
        self._lock_result = None
        with transaction.atomic(using=using, savepoint=False):
            if self.pk is not None and not self.lock_row(using):
                return 0, {}
            try:
                deleted: tuple[int, dict[str, int]] = super().delete(*args, **kwargs)
            finally:
                self._lock_result = None
        return deleted


def adopt(model: type[models.Model]) -> None:
    """Give a third-party model, such as ``auth.User``, the mixin. Call it in ``ready()``.

    A proxy gets it from its model, because its rows are loaded as that model elsewhere.
    """
    concrete: Any = model._meta.concrete_model
    if not issubclass(concrete, AuditableMixin):
        concrete.__bases__ = (AuditableMixin, *concrete.__bases__)
