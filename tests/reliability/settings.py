"""The project's settings with shorter times, so that what waits for one of them is soon seen."""

from core.settings import *  # noqa: F403
from core.settings import LOGGING

OUTBOX_WAKE_TTL = 1
OUTBOX_DRAIN_SECONDS = 1
CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_timeout": 2, "health_check_interval": 1}
LOGGING["formatters"]["line"]["fmt"] = "{asctime} {levelname} {name}: {message}"  # type: ignore[index]
