"""Watchers: objects that are told of each call. Tests have one, requests and workers have none."""

from collections.abc import Iterable
from typing import Protocol

from aftercommit.outbox.record import CallRecord


class Watcher(Protocol):
    """An object that is told of the calls of all threads of this process."""

    def see_made(self, call: CallRecord) -> None:
        """Take note of a call that is about to be handed to on_commit."""

    def see_committed(self, calls: Iterable[CallRecord]) -> None:
        """Take note of calls that were stored, or that run eagerly, because they committed."""


watchers: list[Watcher] = []
"""The watchers in force. A loop over an empty list is no Python call more for the request."""
