"""A person with data everywhere, and the search for what is left of them."""

from collections.abc import Iterator
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any

from allauth.account.models import EmailAddress, EmailConfirmation
from allauth.usersessions.models import UserSession
from django.apps import apps
from django.conf import settings
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group, User
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.core.files.base import ContentFile
from django.db import connection
from django.test import Client
from django.utils import timezone
from django_celery_results.models import TaskResult
from PIL import Image

from aftercommit.context import Context, use
from aftercommit.models import OutboxCall
from aftercommit.outbox.ids import new_id
from aftercommit.worker.drain import drain_all
from audit.models import AuditLog
from content.models import Article, Author, Comment, Profile
from core.forgetting.places import places
from core.logins.models import FailedLogin
from core.logins.tasks import record_failed_login
from notifications.models import (
    Announcement,
    CommentDigest,
    Delivery,
    Follow,
    GatheredComment,
    Mute,
)
from tests.factories import ArticleFactory, CategoryFactory, CommentFactory, UserFactory
from tests.people import make_user

MARK = "zqx"
"""Is in each word of the person and about them, and nowhere else."""

NAME = f"{MARK}-wilhelmina"
ADDRESS = f"Wil.{MARK}@example.com"
FORMER = f"former.{MARK}@example.com"
CLIENT = "203.0.113.99"


def make_person() -> User:
    """Make a user with something in each place, also in the log and in the outbox."""
    user = make_user(NAME, email=ADDRESS, first_name=f"Wil {MARK}", last_name=f"Mina {MARK}")
    by = Context.of_user(user, "request", CLIENT)
    with use(by):
        act(user)
    be_acted_on(user)
    drain_all()
    leave_calls(user, by)
    log_in(user)
    return user


def act(user: User) -> None:
    """Write, comment, follow and tell of oneself, and delete some of it."""
    user.groups.add(Group.objects.create(name="members"))
    user.author.bio = f"An author {MARK}."
    user.author.save()
    profile = user.profile
    profile.bio, profile.location, profile.birth_date = (
        f"Bio {MARK}",
        f"{MARK}ville",
        date(1815, 12, 10),
    )
    profile.avatar = ContentFile(picture(), name=f"{MARK}.png")
    profile.save()
    article = ArticleFactory(
        author=user.author, title=f"Title {MARK}", content=f"Content {MARK}", published=True
    )
    ArticleFactory(author=user.author, title=f"Draft {MARK}")
    ArticleFactory(author=user.author, title=f"Gone {MARK}", published=True).delete()
    CommentFactory(article=article)
    CommentFactory(user=user, text=f"Comment {MARK}")
    CommentFactory(user=user, text=f"Taken back {MARK}").delete()
    category = CategoryFactory()
    category.name = "Renamed"
    category.save()
    Follow.objects.create(user=user, category=category)
    Follow.objects.create(user=UserFactory(), author=user.author)
    user.email = FORMER
    user.save()
    user.email = ADDRESS
    user.save()


def be_acted_on(user: User) -> None:
    """Let others do something that tells of the person."""
    admin = User.objects.get(is_superuser=True)
    with use(Context.of_user(admin)):
        article = Article.objects.get(title__startswith="Title")
        article.title = f"Better title {MARK}"
        article.save()
        other = article.comments.get()
        other.text = "A better comment."
        other.save()
        CommentFactory(user=user, text=f"Removed {MARK}").delete()
    for row in (user, article, other):
        kind = ContentType.objects.get_for_model(row)
        values = {"content_type": kind, "object_id": str(row.pk), "object_repr": str(row)}
        LogEntry.objects.create(user=admin, action_flag=CHANGE, **values)
    LogEntry.objects.create(user=user, action_flag=CHANGE, object_repr=f"Something {MARK}")
    Delivery.objects.create(
        key="1", kind="article_published", recipient=user, address=ADDRESS, status="failed",
        error=f"550 <{ADDRESS}>: no such user", article_id=4711,
    )  # fmt: skip
    Delivery.objects.create(
        key="2", kind="article_published", recipient=user, address=FORMER, status="sent"
    )
    sent = Delivery.objects.get(key="2")
    Mute.objects.create(user=user, kind="comment_posted")
    CommentDigest.objects.update_or_create(recipient=user, defaults={"delivery": sent})
    GatheredComment.objects.get_or_create(
        comment_id=4711, defaults={"delivery": sent, "commenter": user}
    )
    Announcement.objects.get_or_create(article=article, defaults={"author": user.author})
    FailedLogin.objects.create(at=timezone.now(), user=user, user_agent=f"Browser {MARK}")
    TaskResult.objects.create(task_id="1", task_kwargs=f"{{'to': '{ADDRESS}'}}", result="null")
    TaskResult.objects.create(task_id="2", traceback=f"Error: {NAME} has no picture.")
    AuditLog.objects.create(
        model_label="notifications.delivery", object_id="7", object_repr=f"To {FORMER}: sent",
        action="UPDATE", changes={"address": {"old": FORMER, "new": None}},
    )  # fmt: skip


def leave_calls(user: User, by: Context) -> None:
    """Leave calls in the outbox: made by the person, about them, failed and waiting."""
    record_failed_login.delay_on_commit(
        user_id=user.pk, unknown="", address=CLIENT, user_agent=f"Other browser {MARK}", page="/"
    )
    with use(by):
        Comment.objects.create(article=ArticleFactory(), user=user, text=f"Last words {MARK}")
    rows = {
        "of.an.app": f'[[], {{"to": "{ADDRESS}", "n": 5}}]',
        "of.another": f'[["{ADDRESS}"], {{}}, {{"headers": {{"for": "{ADDRESS}"}}}}]',
        "that.nobody.can.read": f"[[{ADDRESS}",
    }
    for task, payload in rows.items():
        OutboxCall.objects.create(
            pk=new_id(), task=task, payload=payload, context='["", "", "", ""]', status="dead",
            error=f"ValueError: {NAME} can't be told",
        )  # fmt: skip
    OutboxCall.objects.create(
        pk=new_id(), task="of.theirs", payload=f'[[], {{"who": "{NAME}"}}]', status="uncertain",
        context=f'["{user.pk}", "{NAME}", "r", "{CLIENT}", {{"for": "{ADDRESS}"}}]',
        error=f"ValueError: Comment {MARK}",
    )  # fmt: skip


def log_in(user: User) -> None:
    """Leave sessions, one of them recorded."""
    Client().force_login(user)
    client = Client()
    client.force_login(user)
    key = client.session.session_key
    UserSession.objects.get_or_create(
        session_key=key, defaults={"user": user, "ip": CLIENT, "user_agent": f"Browser {MARK}"}
    )
    session = Client().session
    session["account_email"] = ADDRESS
    session.save()
    address = EmailAddress.objects.get(user=user)
    EmailConfirmation.objects.create(email_address=address, key=MARK)


def picture() -> bytes:
    """A small picture."""
    content = BytesIO()
    Image.new("RGB", (4, 4)).save(content, "PNG")
    return content.getvalue()


def rows_with(user: User) -> set[str]:
    """The labels of the models with rows that refer to the user, or to the user's author."""
    keys = {User: user.pk, Author: user.author.pk}
    return {
        model._meta.label_lower
        for model in apps.get_models(include_auto_created=True)
        for field in model._meta.concrete_fields
        if field.related_model in keys
        and model._base_manager.filter(**{field.attname: keys[field.related_model]}).exists()
    }


def tables_with_mark() -> set[str]:
    """The labels of the models whose tables have something of the person."""
    return {
        model._meta.label_lower
        for model in apps.get_models(include_auto_created=True)
        if any(is_marked(row) for row in rows_of(model))
    }


def is_marked(row: Any) -> bool:
    """Whether a row has a word or the address of the person's computer."""
    text = " ".join(map(str, row)).lower()
    return MARK in text or CLIENT in text


def rows_of(model: Any) -> Iterator[Any]:
    """Every row with every column, as the database has it. A session is decoded."""
    if model is Session:
        yield from ([session.get_decoded()] for session in Session.objects.all())
        return
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {connection.ops.quote_name(model._meta.db_table)}")  # noqa: S608
        yield from cursor.fetchall()


def files() -> list[Path]:
    """The files of uploads."""
    return [path for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()]


def covered() -> set[str]:
    """The labels of the models that some place clears."""
    return {label for place in places() for label in place.models}


def rows_of_others(user: User) -> list[str]:
    """What all other users have: themselves, their addresses, their profiles."""
    of_users: dict[Any, str] = {User: "pk", EmailAddress: "user", Profile: "user"}
    return [
        str(list(model._base_manager.exclude(**{name: user.pk}).order_by("pk").values()))
        for model, name in of_users.items()
    ]
