"""Settings as Django's own tests have them, with the outbox."""

import os
from importlib.util import find_spec

import dj_database_url
from celery import Celery

ENGINES = {"sqlite": "sqlite3", "postgres": "postgresql", "mysql": "mysql"}

_database = dj_database_url.parse(os.environ.get("DATABASE_URL", "sqlite:///tasks.sqlite3"))
_vendor = _database["ENGINE"].rpartition(".")[2]
DATABASES = {"default": {**_database, "ENGINE": f"aftercommit.db.{_vendor}"}}
SECRET_KEY = "tests"
USE_TZ = False
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["aftercommit", "aftercommit.contrib.tasks"]
if not find_spec("django.tasks"):
    INSTALLED_APPS.append("django_tasks")
TEST_RUNNER = "tests.tools.django_task_tests.project.runner.Runner"

# Nobody takes the messages. The backends of the tests drain in this process.
app = Celery("tests", broker="memory://", set_as_current=True)
app.set_default()
