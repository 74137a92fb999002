"""The application that the site's web server runs (``python -m core.serving``)."""

from core.serving.application import Buffered
from core.wsgi import application as wsgi

application = Buffered(wsgi)
