"""How a name leads to what it stands for, through a project's modules."""

import pytest

from tests.unit.aftercommit.adopt.conftest import Project

TELL = "from django.core.mail import send_mail\ndef tell():\n    send_mail('a')\n"

TASK = "from celery import shared_task\n{}\n@shared_task\ndef work(given=None):\n    {}\n"


@pytest.mark.parametrize(
    ("imports", "call"),
    [
        ("from shop.mail import tell", "tell()"),
        ("from shop.mail import tell as say", "say()"),
        ("from shop import mail", "mail.tell()"),
        ("import shop.mail", "shop.mail.tell()"),
        ("import shop.mail as post", "post.tell()"),
        ("from .mail import tell", "tell()"),
        ("from . import mail", "mail.tell()"),
        ("from shop.mail import *", "tell()"),
        ("from shop import tell", "tell()"),
        ("from shop.all import tell", "tell()"),
        ("", "from shop.mail import tell\n    tell()"),
        ("from shop import mail\nsay = mail.tell", "say()"),
        ("from shop import mail", "say = mail.tell\n    say()"),
        ("from shop import mail", "(say := mail.tell)()"),
        ("from shop.mail import tell", "list(map(tell, []))"),
        ("from shop.boxes import Box", "Box().send()"),
        ("from shop.boxes import Box", "box: Box = Box()\n    box.send()"),
        ("from shop.boxes import Box", "Box.make()"),
        ("from shop.boxes import Box", "def f(box: Box):\n        box.send()\n    f(given)"),
    ],
)
def test_found(project: Project, imports: str, call: str) -> None:
    """The function that sends mail is found behind each way to name it."""
    assert project.found(
        shop___init__="from .mail import tell\n",
        shop_all="from shop.mail import *\n",
        shop_mail=TELL,
        shop_boxes="from . import mail\nclass Base:\n    def send(self):\n        mail.tell()\n"
        "class Box(Base):\n    @classmethod\n    def make(cls):\n        cls().send()\n",
        shop_tasks=TASK.format(imports, call),
    ) == [("outside-effect", "def work(given=None):")]


@pytest.mark.parametrize(
    ("imports", "call"),
    [
        ("from shop.mail import tell", "tell = print\n    tell()"),
        ("from shop.mail import tell", "def tell(): ...\n    tell()"),
        ("from shop.mail import tell", "(lambda tell: tell())(print)"),
        ("from shop.mail import tell as given", "given()"),
        ("from other.mail import tell", "tell()"),
        ("", "tell()"),
        ("from shop.mail import nothing", "nothing()"),
    ],
)
def test_not_found(project: Project, imports: str, call: str) -> None:
    """A name that the function binds itself, or that leads nowhere, isn't taken for another's."""
    assert project.found(shop_mail=TELL, shop_tasks=TASK.format(imports, call)) == []
