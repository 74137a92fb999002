"""The ASGI application that a web server runs: ``uvicorn core.asgi:application``."""

import os

from django.core.asgi import get_asgi_application

from core.front.requests import SiteASGIRequest

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings")

application = get_asgi_application()
application.request_class = SiteASGIRequest
