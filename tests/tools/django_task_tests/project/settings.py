"""Settings as Django's own tests have them, with the outbox."""

from importlib.util import find_spec

from celery import Celery

DATABASES = {"default": {"ENGINE": "aftercommit.db.sqlite3", "NAME": ":memory:"}}
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
