"""The site of one contender for a web server: ``gunicorn benchmarks.wsgi``."""

import os

os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.settings"

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()

from benchmarks.contender import active  # noqa: E402  # Django must be set up

active()
