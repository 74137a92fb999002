"""The project that every page begins with: what ``django-admin startproject`` makes, and a shop."""

MANAGE = """\
import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")

from django.core.management import execute_from_command_line

execute_from_command_line(sys.argv)
"""

INIT = """\
from .celery import app as celery_app

__all__ = ("celery_app",)
"""

SETTINGS = """\
# Nothing of the repository may be at hand, for a user has the wheel alone.
from importlib.util import find_spec
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
assert str(find_spec("aftercommit").origin).startswith({wheel!r}), find_spec("aftercommit")
assert not any(map(find_spec, ("benchmarks", "content", "celery_app"))), "the repository"

SECRET_KEY = "a key of the tests"
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "shop",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
ROOT_URLCONF = "mysite.urls"
TEMPLATES = [
    {{
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {{
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        }},
    }}
]
DATABASES = {{"default": {database!r}}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "static/"
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
CELERY_BROKER_URL = {broker!r}
"""

ADOPTED = {
    "mysite/settings.py": """\
INSTALLED_APPS += ["aftercommit"]
DATABASES["default"]["ENGINE"] = "aftercommit.db.{vendor}"
""",
}
"""The lines by which a project uses the library, with the next."""

APPS_OF_CELERY = {
    True: 'app = Celery("mysite", task_cls="aftercommit.OutboxTask")\n',
    False: 'app = Celery("mysite")\n',
}
"""The line that makes Celery's app if no page makes it, for projects that use the library or not.

There is never more than one, because threads would use the first."""

SETTINGS_END = """
# Whatever engine the page names, the test runs on this one.
import re
import sys

for alias, config in DATABASES.items():
    config["ENGINE"] = re.sub(
        r"(aftercommit\\.db|django\\.db\\.backends)\\.(postgresql|mysql|sqlite3)$",
        r"\\1.{vendor}",
        config["ENGINE"],
    )
    for key, value in {database!r}.items():
        config.setdefault(key, value)
    if {vendor!r} == "sqlite3":
        config["NAME"] = BASE_DIR / str(config["NAME"])
    else:
        if not config["NAME"].startswith({database!r}["NAME"]):
            config["NAME"] = {database!r}["NAME"] + "_" + config["NAME"]
"""

CELERY = """\
import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")
"""

CELERY_END = """
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
"""

URLS = """\
from django.contrib import admin
from django.urls import path

urlpatterns = [path("admin/", admin.site.urls)]
"""

ASGI = """\
import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")
application = get_asgi_application()
"""

APPS = """\
from django.apps import AppConfig


class ShopConfig(AppConfig):
    name = "shop"

    def ready(self):
        from importlib import import_module
        from importlib.util import find_spec

        for module in ("shop.receivers", "shop.signals"):
            if find_spec(module):
                import_module(module)
"""

MODELS = """\
from django.db import models


class Order(models.Model):
    customer = models.EmailField(default="ada@example.com")
    total = models.DecimalField(max_digits=9, decimal_places=2, default=0)


class Receipt(models.Model):
    order = models.ForeignKey(Order, models.CASCADE, related_name="receipts")
"""

BASE = {
    "manage.py": MANAGE,
    "mysite/__init__.py": INIT,
    "mysite/asgi.py": ASGI,
    "mysite/wsgi.py": ASGI.replace("asgi", "wsgi"),
    "mysite/celery.py": CELERY,
    "mysite/settings.py": SETTINGS,
    "mysite/urls.py": URLS,
    "shop/__init__.py": "",
    "shop/apps.py": APPS,
    "shop/models.py": MODELS,
    "shop/tasks.py": "",
}
"""The files that there are before the page adds anything, by path."""

ENDS = {"mysite/celery.py": CELERY_END, "mysite/settings.py": SETTINGS_END}
"""What comes after everything that the page adds to a file."""

SHORT = ("asgi.py", "celery.py", "settings.py", "urls.py", "wsgi.py")
"""Files of the folder ``mysite`` that a page names without it."""
