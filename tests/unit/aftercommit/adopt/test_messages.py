"""Messages that are not durable: where they are sent from, and what is to be written."""

import pytest

from aftercommit.adopt.report import look
from tests.unit.aftercommit.adopt.conftest import Project

TASKS = """
from celery import shared_task

@shared_task
def notify(pk): ...
"""

HEAD = """
from functools import partial
from django.apps import AppConfig
from django.contrib import admin
from django.db import models, transaction
from django.db.models.signals import post_save
from django.db.transaction import atomic, on_commit
from django.dispatch import Signal, receiver
from celery import chain, chord, current_app, group
from shop import tasks
from shop.tasks import notify
"""


def found_in(project: Project, code: str) -> list[tuple[str, str]]:
    """Return what is found in the code, which follows the imports."""
    return project.found(shop_tasks=TASKS, shop_code=HEAD + code)


class TestOnCommit:
    """Under ``on_commit``."""

    @pytest.mark.parametrize(
        "line",
        [
            "transaction.on_commit(lambda: notify.delay(1))",
            "on_commit(lambda: tasks.notify.apply_async([1], countdown=3))",
            "on_commit(partial(notify.delay, 1), using='other')",
            "on_commit(func=notify.delay)",
            "on_commit(notify.s(1).delay)",
            "on_commit(lambda: notify.si(1).set(queue='mail').apply_async())",
            "on_commit(lambda: current_app.send_task('shop.notify', [1]))",
            "on_commit(lambda: chain(notify.s(1), notify.s(2)).delay())",
            "on_commit(lambda: chain(notify.s(1), notify.s(2))())",
            "on_commit(lambda: (notify.s(1) | notify.si(2))())",
            "on_commit(lambda: (notify.s(1) | group(notify.s(2)) | notify.s(3)).delay())",
            "on_commit(lambda: [notify.delay(pk) for pk in (1, 2)])",
            "transaction.get_connection().on_commit(lambda: notify.delay(1))",
        ],
    )
    def test_handed_over(self, project: Project, line: str) -> None:
        """What is handed over is found, however it is written."""
        assert found_in(project, f"def view(request):\n    {line}\n") == [("on-commit", line)]

    @pytest.mark.parametrize(
        "code",
        [
            "def view(request):\n    def send():\n        notify.delay(1)\n    on_commit(send)\n",
            "def send():\n    notify.delay(1)\ndef view(request):\n    on_commit(send)\n",
            "def send(pk):\n    notify.delay(1)\ndef v(r):\n    on_commit(lambda: send(1))\n",
            "def send(pk):\n    notify.delay(1)\ndef v(r):\n    on_commit(partial(send, 1))\n",
            "def v(r):\n    @transaction.on_commit\n    def _():\n        notify.delay(1)\n",
            "class Mail:\n    def send(self):\n        self.now()\n    def now(self):\n"
            "        notify.delay(1)\ndef view(request):\n    on_commit(Mail().send)\n",
            "def later(function):\n    on_commit(function)\n"
            "def view(request):\n    later(lambda: notify.delay(1))\n",
            "def later(function):\n    def run():\n        on_commit(function)\n"
            "    return run\n@later\ndef send():\n    notify.delay(1)\n",
            "def view(request):\n    send = lambda: notify.delay(1)\n    on_commit(send)\n",
            "send = lambda: notify.delay(1)\ndef view(request):\n    on_commit(send)\n",
            "def v(r):\n    if send := lambda: notify.delay(1):\n        on_commit(send)\n",
            "@receiver(post_save)\ndef saved(**kwargs):\n    def send():\n"
            "        notify.delay(1)\n    on_commit(send)\n",
        ],
    )
    def test_through_a_function(self, project: Project, code: str) -> None:
        """What a function that is handed over sends is found in the function."""
        ((kind, line),) = found_in(project, code)
        assert (kind, "notify.delay(1)" in line) == ("on-commit", True)

    def test_partial_with_a_name(self, project: Project) -> None:
        """What is handed over can be a partial that was given a name before."""
        line = "send = partial(notify.delay, 1)"
        code = f"def view(request):\n    {line}\n    on_commit(send)\n"
        assert found_in(project, code) == [("on-commit", line)]

    def test_advice(self, project: Project) -> None:
        """The durable call is written out, and says what it replaces."""
        code = "def view(request):\n    on_commit(lambda: tasks.notify.delay(1))\n"
        (finding,) = project.findings(shop_tasks=TASKS, shop_code=HEAD + code)
        assert finding.advice == "Write tasks.notify.delay_on_commit(…) in place of on_commit(…)."

    def test_advice_of_options(self, project: Project) -> None:
        """An option that a durable call refuses is named."""
        code = "def view(request):\n    on_commit(lambda: notify.apply_async([1], queue='a'))\n"
        (finding,) = project.findings(shop_tasks=TASKS, shop_code=HEAD + code)
        assert "notify.apply_async_on_commit(…)" in finding.advice
        assert "doesn't take queue" in finding.advice


class TestReceiver:
    """In what Django calls when something is saved."""

    @pytest.mark.parametrize(
        "code",
        [
            "@receiver(post_save)\ndef saved(instance, **kwargs):\n    notify.delay(1)\n",
            "@receiver([post_save], sender='shop.Order')\ndef saved(**kwargs):\n"
            "    notify.delay(1)\n",
            "def saved(**kwargs):\n    notify.delay(1)\npost_save.connect(saved)\n",
            "def saved(**kwargs):\n    notify.delay(1)\npost_save.connect(receiver=saved)\n",
            "paid = Signal()\n@paid.connect\ndef saved(**kwargs):\n    notify.delay(1)\n",
            "class Order(models.Model):\n    def save(self, *args, **kwargs):\n"
            "        super().save(*args, **kwargs)\n        notify.delay(1)\n",
            "class Base(models.Model):\n    class Meta:\n        abstract = True\n"
            "class Order(Base):\n    def delete(self, **kwargs):\n        notify.delay(1)\n",
            "class Shop(AppConfig):\n    def ready(self):\n        notify.delay(1)\n",
            "class Saved:\n    def __call__(self, **kwargs):\n        notify.delay(1)\n"
            "post_save.connect(Saved(), weak=False)\n",
            "class Saved:\n    def __call__(self, **kwargs):\n        notify.delay(1)\n"
            "saved = Saved()\npost_save.connect(saved)\n",
            "def tell(pk):\n    notify.delay(1)\n"
            "saved = partial(tell, 1)\npost_save.connect(saved)\n",
            "class Shop(AppConfig):\n    def ready(self):\n        post_save.connect(self.saved)\n"
            "    def saved(self, **kwargs):\n        notify.delay(1)\n",
            "@receiver(post_save)\ndef _(**kwargs):\n    notify.delay(1)\n"
            "@receiver(post_save)\ndef _(**kwargs): ...\n",
            "from asgiref.sync import sync_to_async\n@receiver(post_save)\n"
            "async def saved(**kwargs):\n    run = sync_to_async(\nnotify.delay\n)\n",
            "def tell(pk):\n    notify.delay(1)\n@receiver(post_save)\n"
            "def saved(instance, **kwargs):\n    tell(instance.pk)\n",
        ],
    )
    def test_found(self, project: Project, code: str) -> None:
        """A message is found in receivers, models and apps, and in what they call."""
        ((kind, line),) = found_in(project, code)
        assert (kind, line.removesuffix("(1)")) == ("receiver", "notify.delay")

    def test_stars(self, project: Project) -> None:
        """All names of a module of Django's can be imported at once."""
        code = (
            "from django.db.models.signals import *\nfrom django.dispatch import *\n"
            "from shop.tasks import *\n@receiver(post_save)\n"
            "def saved(**kwargs):\n    notify.delay(1)\n"
        )
        found = project.found(shop_tasks=TASKS, shop_receivers=code)
        assert found == [("receiver", "notify.delay(1)")]

    @pytest.mark.parametrize(
        "line",
        [
            "post_save.connect(lambda **kwargs: notify.delay(1), weak=False)",
            "saved = lambda **kwargs: notify.delay(1); post_save.connect(saved)",
        ],
    )
    def test_lambda(self, project: Project, line: str) -> None:
        """A receiver can be a lambda, with a name or without."""
        assert found_in(project, f"{line}\n") == [("receiver", line)]

    def test_way(self, project: Project) -> None:
        """Where a function is called from is said, if that is not the place itself."""
        receivers = (
            HEAD
            + "from shop.mail import tell\n@receiver(post_save)\ndef saved(**kw):\n    tell()\n"
        )
        mail = "from shop.tasks import notify\ndef tell():\n    notify.delay(1)\n"
        (finding,) = project.findings(shop_tasks=TASKS, shop_mail=mail, shop_receivers=receivers)
        assert finding.path == project.folder / "shop/mail.py"
        assert finding.line == 3
        assert "Called from saved, receivers.py:13" in finding.advice

    @pytest.mark.parametrize(
        "code",
        [
            "def view(request):\n    notify.delay(1)\n",
            "class Form:\n    def save(self):\n        notify.delay(1)\n",
            "from celery.signals import worker_ready\n@worker_ready.connect\n"
            "def ready(**kwargs):\n    notify.delay(1)\n",
            "@receiver(post_save)\ndef saved(instance, **kwargs):\n    notify.delay_on_commit(1)\n",
            "class Timer:\n    def delay(self): ...\n@receiver(post_save)\n"
            "def saved(instance, **kwargs):\n    Timer().delay()\n",
            "@receiver(post_save)\ndef saved(instance, **kwargs):\n    print(instance.delay)\n",
        ],
    )
    def test_not_found(self, project: Project, code: str) -> None:
        """What runs elsewhere, is durable, or is no message isn't found."""
        assert found_in(project, code) == []


class TestTransaction:
    """In ``atomic()``, where a worker can be faster than the commit."""

    @pytest.mark.parametrize(
        "code",
        [
            "def view(request):\n    with transaction.atomic():\n        notify.delay(1)\n",
            "def view(request):\n    with atomic(using='a'), open('a'):\n        notify.delay(1)\n",
            "@transaction.atomic\ndef view(request):\n    notify.delay(1)\n",
            "@atomic(durable=True)\ndef view(request):\n    notify.delay(1)\n",
            "def tell():\n    notify.delay(1)\ndef v(r):\n    with atomic():\n        tell()\n",
            "from django.utils.decorators import method_decorator\nclass View:\n"
            "    @method_decorator(transaction.atomic)\n"
            "    def post(self, request):\n        notify.delay(1)\n",
            "from django.utils.decorators import method_decorator\n"
            "@method_decorator(atomic, name='dispatch')\nclass View:\n"
            "    def post(self, request):\n        notify.delay(1)\n",
            "class Orders(admin.ModelAdmin):\n    def save_model(self, *args):\n"
            "        notify.delay(1)\n",
            "from contextlib import contextmanager\n@contextmanager\ndef traced():\n"
            "    with transaction.atomic():\n        yield\n"
            "def view(request):\n    with traced():\n        notify.delay(1)\n",
        ],
    )
    def test_found(self, project: Project, code: str) -> None:
        """A message is found in blocks, decorated functions, admins, and in what they call."""
        ((kind, line),) = found_in(project, code)
        assert (kind, line) == ("transaction", "notify.delay(1)")

    def test_after_the_block(self, project: Project) -> None:
        """A message after the block isn't in it. It is counted."""
        code = "def v(r):\n    with atomic():\n        pass\n    notify.delay(1)\n"
        assert found_in(project, code) == []
        assert look([project.folder]).elsewhere == 1
        (listed,) = look([project.folder], everything=True).findings
        assert (listed.kind.value, listed.source) == ("message", "notify.delay(1)")


class TestTask:
    """In an atomic task, which can run again."""

    def test_found(self, project: Project) -> None:
        """A message that an atomic task sends is found; of one with atomic=False it is not."""
        head = "from celery import shared_task\nfrom shop.tasks import notify\n"
        atomic = f"{head}@shared_task\ndef fan_out():\n    notify.delay(1)\n"
        other = f"{head}@shared_task(atomic=False)\ndef fan_out():\n    notify.delay(1)\n"
        found = project.found(shop_tasks=TASKS, shop_more=atomic, shop_other=other)
        assert found == [("task-message", "notify.delay(1)")]


class TestSilenced:
    """A comment by which a person says that a place is right."""

    @pytest.mark.parametrize(
        "lines",
        [
            "on_commit(lambda: notify.delay(1))  # aftercommit: ok",
            "# aftercommit: ok, the mail may be lost\n    on_commit(lambda: notify.delay(1))",
            "on_commit(\n        lambda: notify.delay(\n            1,  # aftercommit: ok\n    ))",
        ],
    )
    def test_comment(self, project: Project, lines: str) -> None:
        """It stands on a line of the statement, or above it. What it silences is counted."""
        assert found_in(project, f"def view(request):\n    {lines}\n") == []
        assert look([project.folder]).silenced == 1

    def test_other_line(self, project: Project) -> None:
        """A comment after other code holds for that code."""
        code = "def v(r):\n    a = 1  # aftercommit: ok\n    on_commit(lambda: notify.delay(1))\n"
        assert len(found_in(project, code)) == 1
