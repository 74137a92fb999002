"""A model field for counters that tasks move and forms don't."""

from typing import TYPE_CHECKING, Any

from django.db import models

if TYPE_CHECKING:
    _IntegerField = models.IntegerField[int, int]
else:
    _IntegerField = models.IntegerField


class CounterField(_IntegerField):
    """A whole number that only ``queryset.update(F() + n)`` moves: 0 at first, never in a form.

    ``save()`` of a row that exists writes the column to itself. Otherwise an instance that was
    loaded before a task moved the counter would write the old number back over the new one.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("default", 0)
        kwargs.setdefault("editable", False)
        super().__init__(*args, **kwargs)

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        """Return the value for an INSERT, and the column itself for an UPDATE."""
        return super().pre_save(model_instance, add) if add else models.F(self.attname)
