"""The contenders of this project, as a process of theirs begins."""

import os
import subprocess
import sys

import pytest

from benchmarks.servers import SECRET_KEY
from tests.celery_engine.engine import PROJECT

ENVIRONMENT = {
    "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
    "SECRET_KEY": SECRET_KEY,
    "DATABASE_URL": "postgres://127.0.0.1:1/nobody",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "EMAIL_PORT": "1",
    "SLOW_EMAIL_PORT": "1",
}


@pytest.mark.slow
@pytest.mark.parametrize("contender", ["aftercommit", "aftercommit_audit"])
def test_apps_are_complete(contender: str) -> None:
    """What an app of this project needs of others is among the contender's apps."""
    env = {"PATH": os.environ["PATH"], "BENCH_CONTENDER": contender}
    done = subprocess.run(
        [sys.executable, "-c", "import django; django.setup()"],
        env=env | ENVIRONMENT,
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
