"""The site of one contender for a web server: ``gunicorn benchmarks.wsgi``."""

import os
from collections.abc import Iterable
from typing import Any

os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.settings"

from django.core.handlers.wsgi import WSGIHandler
from django.core.wsgi import get_wsgi_application
from django.test import override_settings

from benchmarks.settings import PAGE_MIDDLEWARE

bare = get_wsgi_application()
with override_settings(MIDDLEWARE=PAGE_MIDDLEWARE):
    page = WSGIHandler()

from benchmarks.contender import active  # noqa: E402  # Django must be set up

active()


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """The answer: of pages behind Django's usual middleware, of all else behind none.

    Its head names the process that made it.
    """
    handler = page if environ["PATH_INFO"].startswith("/page/") else bare

    def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
        return start_response(status, [*headers, ("Process", str(os.getpid()))], *error)

    return handler(environ, start)
