"""The project's settings, with an event for each call."""

from core.settings import *  # noqa: F403

OUTBOX_EVENTS = "all"
