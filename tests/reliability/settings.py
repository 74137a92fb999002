"""The project's settings with shorter times, so that what waits for one of them is soon seen."""

from copy import deepcopy

from core import settings
from tests.settings import *  # noqa: F403

OUTBOX_WAKE_TTL = 1
OUTBOX_DRAIN_SECONDS = 1
CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_timeout": 2, "health_check_interval": 1}
LOGGING = deepcopy(settings.LOGGING)  # A test's process may have imported the site's settings too.
LOGGING["formatters"]["line"]["fmt"] = "{asctime} {levelname} {name}: {message}"  # type: ignore[index]
