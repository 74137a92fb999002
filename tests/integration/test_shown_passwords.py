"""A project whose settings have passwords: no worker and no page of Flower tells them."""

import base64
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.stack.ports import free_port
from core.stack.probes import DIRECT, http_answers
from core.stack.redis_server import RedisServer
from core.stack.waiting import wait_until

READY_WITHIN = 60
LOGIN = "admin:of-flower-itself"
SETTINGS = """
URL = "{url}"
SECRET_KEY = "{password}"
INSTALLED_APPS = ["aftercommit"]
DATABASES = {{"default": {{"ENGINE": "aftercommit.db.sqlite3", "NAME": "{folder}/db"}}}}
CACHES = {{"default": {{"BACKEND": "aftercommit.redis.cache.RedisCache", "LOCATION": [URL]}}}}
CHANNEL_LAYERS = {{"default": {{"CONFIG": {{"hosts": [URL, {{"password": "{password}"}}]}}}}}}
METRICS_AT = "https://example.com/?auth_token={password}"
CELERY_BROKER_URL = URL
CELERY_BROKER_TRANSPORT_OPTIONS = {{"sentinel_kwargs": {{"password": "{password}"}}}}
CELERY_RESULT_BACKEND = URL
CELERY_WORKER_SEND_TASK_EVENTS = True
"""
PROJECT = """
import os

from celery import Celery

os.environ["DJANGO_SETTINGS_MODULE"] = "project_settings"
app = Celery("project")
app.config_from_object("django.conf:settings", namespace="CELERY")
"""


class Project:
    """A worker and Flower of a project that has its passwords in URLs."""

    def __init__(self, folder: Path, redis: RedisServer) -> None:
        self.folder, self.port = folder, free_port()
        text = SETTINGS.format(url=redis.url, password=redis.password, folder=folder)
        (folder / "project_settings.py").write_text(text)
        (folder / "project.py").write_text(PROJECT)
        self.environ = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}
        self.processes: list[subprocess.Popen[bytes]] = []

    def command(self, *arguments: str) -> list[str]:
        """Return the command line of one of Celery's programs."""
        return [sys.executable, "-W", "ignore", "-m", "celery", "-A", "project", *arguments]

    def start(self, name: str, *arguments: str, **environ: str) -> None:
        """Start a program that writes into a file of its name."""
        with (self.folder / name).open("wb") as log:
            process = subprocess.Popen(
                self.command(*arguments),
                cwd=self.folder,
                env={**self.environ, **environ},
                stdout=log,
                stderr=log,
            )
        self.processes.append(process)

    def said(self, name: str) -> str:
        """Return the text that the program has written."""
        return (self.folder / name).read_text()

    def ask(self, *arguments: str) -> str:
        """Return the output of a program that ends, which it does without an error."""
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout + done.stderr

    def read(self, path: str) -> str:
        """Return a page of Flower."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}")
        request.add_header("Authorization", f"Basic {base64.b64encode(LOGIN.encode()).decode()}")
        with DIRECT.open(request, timeout=20) as response:
            return str(response.read().decode())


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    """Return a server that asks for a password."""
    with RedisServer() as server:
        yield server


@pytest.fixture
def project(tmp_path: Path, redis: RedisServer) -> Iterator[Project]:
    """Return the project, with a worker and Flower that answer."""
    project = Project(tmp_path, redis)
    try:
        options = ("--pool", "solo", "--hostname", "worker@here", "--loglevel", "INFO")
        project.start("worker", "worker", *options)
        wait_until(
            lambda: " ready." in project.said("worker"),
            READY_WITHIN,
            lambda: project.said("worker"),
        )
        flower = ("flower", f"--port={project.port}", "--address=127.0.0.1")
        project.start("flower", *flower, FLOWER_BASIC_AUTH=LOGIN)
        alive = f"http://127.0.0.1:{project.port}/healthcheck"
        wait_until(lambda: http_answers(alive), READY_WITHIN, "Flower")
        yield project
    finally:
        for process in project.processes:
            process.kill()
            process.wait()


@pytest.mark.slow
def test_nobody_is_told_a_password(project: Project, redis: RedisServer) -> None:
    """Not by ``inspect``, ``report``, Flower's pages and API, or a log; the rest is as it was."""
    told = {
        "conf": project.ask("inspect", "conf", "--json"),
        "stats": project.ask("inspect", "stats"),
        "inspect report": project.ask("inspect", "report"),
        "report": project.ask("report"),
        "api": project.read("/api/workers?refresh=true"),
        "page": project.read("/worker/worker@here"),
        "broker": project.read("/broker"),
        "log": project.said("worker"),
        "log of Flower": project.said("flower"),
    }
    assert [name for name, text in told.items() if redis.password in text] == []
    conf = json.loads(told["conf"])["worker@here"]
    shown = f"redis://:**@127.0.0.1:{redis.port}/0"
    assert (conf["CELERY_BROKER_URL"], conf["CACHES"]["default"]["LOCATION"]) == (shown, [shown])
    assert "CELERY_BROKER_URL" in told["page"]
    assert "sentinel_kwargs" in told["stats"]
