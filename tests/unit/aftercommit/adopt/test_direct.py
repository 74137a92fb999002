"""Mail and requests that no task makes."""

import pytest

from tests.unit.aftercommit.adopt.conftest import Project

HEAD = """
import httpx
from django.core.mail import send_mail
from django.db import models, transaction
from django.db.models.signals import post_save
from django.dispatch import receiver
from celery import shared_task
"""


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("def v(r):\n    transaction.on_commit(lambda: send_mail('a'))\n", "on-commit"),
        ("def v(r):\n    transaction.on_commit(send_mail)\n", "on-commit"),
        ("@receiver(post_save)\ndef saved(**kwargs):\n    httpx.post('a')\n", "receiver"),
        ("def a():\n    send_mail(1)\n@receiver(post_save)\ndef s(**b):\n    a()\n", "receiver"),
        (
            "class Order(models.Model):\n    def save(self, **kwargs):\n        send_mail('a')\n",
            "receiver",
        ),
    ],
)  # fmt: skip
def test_found(project: Project, code: str, kind: str) -> None:
    """An effect of a receiver, or under on_commit, is to be a task's."""
    (finding,) = project.findings(shop_code=HEAD + code)
    assert finding.kind.value == kind
    assert "Do it in a task with atomic=False" in finding.advice


@pytest.mark.parametrize("given", ["tell", "lambda: tell()", "lambda: send_mail('a')"])
def test_in_a_task(project: Project, given: str) -> None:
    """What a task hands to on_commit is no effect of the task: its run has ended by then."""
    code = (
        "def tell():\n    send_mail('a')\n"
        f"@shared_task\ndef work():\n    transaction.on_commit({given})\n"
    )
    assert [kind for kind, _ in project.found(shop_code=HEAD + code)] == ["on-commit"]


@pytest.mark.parametrize(
    "code",
    [
        "def v(r):\n    send_mail('a')\n",
        "@shared_task(atomic=False)\ndef work():\n    send_mail('a')\n"
        "@receiver(post_save)\ndef saved(**kwargs):\n    work.delay_on_commit()\n",
    ],
)
def test_not_found(project: Project, code: str) -> None:
    """What a view does itself, and what a durable call does, isn't found."""
    assert project.findings(shop_code=HEAD + code) == []
