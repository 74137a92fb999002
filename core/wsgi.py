"""The WSGI application that a web server runs: ``gunicorn core.wsgi``."""

import os

from django.core.wsgi import get_wsgi_application

from core.front.requests import SiteWSGIRequest

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings")

application = get_wsgi_application()
application.request_class = SiteWSGIRequest
