"""The signal of a person who was forgotten."""

from django.dispatch import Signal

person_forgotten = Signal()
"""A person's data is gone. The user model sends it in the last transaction, with ``person`` and
``using``. A receiver must keep nothing but the user's id."""
