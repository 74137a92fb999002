"""The site as the web server runs it, stopped at the point that its environment names."""

from core.wsgi import application
from tests.reliability import points

__all__ = ["application", "points"]
