"""The WSGI application. A server that runs it needs a proxy in front that takes slow clients."""

import os

from django.core.wsgi import get_wsgi_application

from core.front.requests import SiteRequest

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings")

application = get_wsgi_application()
application.request_class = SiteRequest
