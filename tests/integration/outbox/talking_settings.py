"""The project's settings, with an event for each call."""

from tests.settings import *  # noqa: F403

OUTBOX_EVENTS = "all"
