"""Settings that break the guarantee, as the system checks name them."""

from collections.abc import Iterator

from celery import current_app
from django.conf import settings
from django.core.checks import WARNING, CheckMessage, run_checks

from aftercommit.adopt.finding import Finding, Kind
from aftercommit.conf import TAG

ABOUT_CLASSES = tuple(f"aftercommit.{id}" for id in ("W010", "I010", "I011", "W021", "I021"))
"""The checks of what ``classes`` finds, with the places."""


def setting_findings() -> Iterator[Finding]:
    """Yield a finding for each warning of the library's system checks, and for eager tasks."""
    for message in run_checks(tags=[TAG]):
        is_open = message.level >= WARNING and not message.is_silenced()
        if is_open and message.id not in ABOUT_CLASSES:
            yield _finding(message)
    if current_app.conf.task_always_eager and not settings.DEBUG:
        yield Finding(
            Kind.SETTING,
            "Leave CELERY_TASK_ALWAYS_EAGER to the settings of tests and of development.",
            source="CELERY_TASK_ALWAYS_EAGER is True and DEBUG is False: calls run in the request "
            "that makes them, without a row.",
        )


def _finding(message: CheckMessage) -> Finding:
    return Finding(Kind.SETTING, message.hint or "", source=f"{message.msg} ({message.id})")
