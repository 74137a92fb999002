"""Tasks with effects outside the database."""

from typing import Any

import pytest

from tests.unit.aftercommit.adopt.conftest import Project

HEAD = """
import os, shutil, smtplib, subprocess, urllib.request
import boto3, httpx
import requests as http
from functools import partial
from pathlib import Path
from celery import shared_task
from django.core import mail
from django.core.cache import cache
from django.core.files.storage import default_storage
from django.core.mail import EmailMessage, EmailMultiAlternatives, send_mail as send
from shop.models import Order
"""

MODELS = """
from django.core.mail import EmailMessage, send_mail
from django.db import models

class Order(models.Model):
    def confirm(self):
        send_mail("Thanks", "", None, ["ann@example.org"])

class Letter(EmailMessage): ...
"""


def effects(project: Project, body: str, decorator: str = "@shared_task") -> list[str]:
    """Return what is advised for a task with this body."""
    code = f"{HEAD}{decorator}\ndef work(pk):\n    {body}\n"
    found = project.findings(shop_models=MODELS, shop_tasks=code)
    return [each.advice for each in found if each.kind.value == "outside-effect"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("send('a', 'b', None, ['ann@example.org'])", "sends mail"),
        ("mail.mail_admins('a', 'b')", "sends mail"),
        ("EmailMultiAlternatives('a').send()", "sends mail"),
        ("letter = EmailMessage('a')\n    letter.send()", "sends mail"),
        ("from shop.models import Letter\n    Letter('a').send()", "sends mail"),
        ("smtplib.SMTP('localhost')", "sends mail"),
        ("Order.objects.get(pk=pk).confirm()", "sends mail in Order.confirm"),
        ("order = Order.objects.get(pk=pk)\n    order.confirm()", "sends mail in Order.confirm"),
        ("for order in Order.objects.all():\n        order.confirm()", "mail in Order.confirm"),
        ("http.post('https://example.org')", "asks another service"),
        ("session = http.Session()\n    session.get('a')", "asks another service"),
        ("with httpx.Client() as client:\n        client.get('a')", "asks another service"),
        ("urllib.request.urlopen('https://example.org')", "asks another service"),
        ("boto3.client('s3').put_object()", "asks another service"),
        ("subprocess.run(['ls'])", "runs a program"),
        ("ask = partial(http.post, timeout=3)\n    ask('a')", "asks another service"),
        ("ask = lambda url: http.post(url)\n    ask('a')", "asks another service"),
        ("open('a', 'w').close()", "changes files"),
        ("Path('a').unlink()", "changes files"),
        ("Path('a').open('w')", "changes files"),
        ("Path('a').open(mode='x')", "changes files"),
        ("with open('a', mode='ab') as file:\n        pass", "changes files"),
        ("Path('a').write_text('b')", "changes files"),
        ("shutil.rmtree('a')", "changes files"),
        ("default_storage.save('a', None)", "changes files"),
        ("cache.set('a', 1)", "changes the cache"),
    ],
)
def test_found(project: Project, body: str, said: str) -> None:
    """An effect is recognised by the name that was imported, under any alias."""
    (advice,) = effects(project, body)
    assert advice.startswith("Say atomic=False: it ")
    assert said in advice


@pytest.mark.parametrize(
    ("body", "decorator"),
    [
        ("send('a', 'b', None, [])", "@shared_task(atomic=False)"),
        ("send('a', 'b', None, [])", "def other(): ..."),
        ("open('a').read()", "@shared_task"),
        ("open('a', 'rb').read()", "@shared_task"),
        ("cache.get('a')", "@shared_task"),
        ("http = {}\n    http.get('a')", "@shared_task"),
        ("Order.objects.update()", "@shared_task"),
        ("send('a', 'b', None, [])  # aftercommit: ok", "@shared_task"),
    ],
)
def test_not_found(project: Project, body: str, decorator: str) -> None:
    """What stays in the database, is no task, says atomic=False, or is silenced isn't found."""
    assert effects(project, body, decorator) == []


def test_several_levels(project: Project) -> None:
    """Calls are followed through the project's modules, as far as they go."""
    tasks = (
        "from celery import shared_task\nfrom shop import a\n"
        "@shared_task\ndef work():\n    a.one()\n"
    )
    one = "from .b import Sender\ndef one():\n    Sender().two()\n"
    two = (
        "from shop.c import three\nclass Base:\n    def two(self):\n        three()\n"
        "class Sender(Base): ...\n"
    )
    three = (
        "from django.core.mail import send_mail\ndef three():\n    send_mail('a', 'b', None, [])\n"
    )
    (finding,) = project.findings(shop_tasks=tasks, shop_a=one, shop_b=two, shop_c=three)
    assert finding.advice == "Say atomic=False: it sends mail in three (c.py:3)."
    assert (finding.line, finding.source) == (4, "def work():")


def test_function_that_is_returned(project: Project) -> None:
    """A function inside another is taken for called, as it is returned to be."""
    code = "def wrap():\n    def inner():\n        send('a')\n    return inner\n"
    (finding,) = project.findings(
        shop_models=MODELS, shop_tasks=f"{HEAD}{code}@shared_task\ndef work():\n    wrap()()\n"
    )
    assert "sends mail in wrap.inner" in finding.advice


def test_cache_elsewhere(project: Project) -> None:
    """A function that keeps what it has read in the cache makes no effect of its callers."""
    code = "def read():\n    cache.set('a', 1)\n@shared_task\ndef work():\n    read()\n"
    assert project.findings(shop_models=MODELS, shop_tasks=HEAD + code) == []


def test_functions_that_call_each_other(project: Project) -> None:
    """A circle of calls, of imports and of bases ends."""
    code = (
        "from celery import shared_task\nfrom shop.b import other\nfrom shop.tasks import *\n"
        "class A(A): ...\nclass B(C): ...\nclass C(B): ...\n"
        "@shared_task\ndef work():\n    other()\n    B().save()\n"
    )
    other = "from shop.tasks import work, missing\nfrom shop.b import *\ndef other():\n    work()\n"
    assert project.found(shop_tasks=code, shop_b=other) == []


def test_registered(project: Project, registry: Any) -> None:
    """What the registry says of a task counts, also where the code doesn't show that it is one."""
    code = HEAD.replace("import boto3, httpx\nimport requests as http\n", "").replace(
        "from shop.models import Order\n", ""
    )
    project.write("adopted_tasks.py", f"{code}def work():\n    send('a', 'b', None, [])\n")
    import adopted_tasks  # type: ignore[import-not-found]

    registry.task(adopted_tasks.work, name="adopted.work")
    assert [each.kind.value for each in project.findings()] == ["outside-effect"]
    registry.tasks["adopted.work"].atomic = False
    assert project.findings() == []
