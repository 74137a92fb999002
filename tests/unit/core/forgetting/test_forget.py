"""A person is forgotten: nothing of them is left, and what must stay has no name."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import get_user
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.test import Client
from django.urls import reverse
from pytest_django.asserts import assertContains

from aftercommit.context import Context, use
from aftercommit.models import OutboxCall
from aftercommit.outbox.ids import new_id
from aftercommit.worker.drain import drain_all
from audit.masking import MASK
from audit.models import AuditLog
from content.models import Article, Comment
from core.forgetting import forget as forgetting
from core.forgetting.closing import LastSuperuser, finish
from core.forgetting.find import person_of
from core.forgetting.forget import StillWritten, count_places, forget
from core.forgetting.person import DELETED, Person
from tests.factories import PASSWORD, ArticleFactory, UserFactory
from tests.people import make_user
from tests.unit.core.forgetting.everywhere import (
    NAME,
    covered,
    files,
    is_marked,
    make_person,
    rows_of,
    rows_of_others,
    rows_with,
    tables_with_mark,
)

pytestmark = pytest.mark.django_db(transaction=True)

ENDS_WITH = {
    "auth.user": "the last step",
    "auth.user_groups": "the user",
    "auth.user_user_permissions": "the user",
    "account.emailconfirmation": "the address",
}
"""Models whose rows end with another row, and that no place has to name."""


@pytest.fixture(autouse=True)
def media(settings: Any, tmp_path: Path) -> None:
    """The uploads of a test are its own."""
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def admin() -> User:
    """A superuser."""
    user: User = UserFactory(username="root", is_superuser=True, is_staff=True)
    return user


@pytest.fixture
def user(admin: User) -> User:
    """The person, with something everywhere."""
    return make_person()


def forget_and_drain(user: User, **options: Any) -> None:
    """Forget the person as an operator does, and let the workers do the rest."""
    with use(Context(actor="root@host")):
        forget(person_of(user, **options))
    drain_all()


@pytest.mark.every_database
class TestEverywhere:
    """What is searched is every column of every table, and the files."""

    def test_nothing_is_left(self, user: User) -> None:
        """No word of the person is in any table, and no file."""
        assert covered() <= tables_with_mark() | rows_with(user)
        assert len(files()) == 1
        forget_and_drain(user)
        left = {
            label: [row for row in rows_of(apps.get_model(label)) if is_marked(row)]
            for label in tables_with_mark()
        }
        assert left == {}
        assert rows_with(user) == set()
        assert files() == []
        assert not User.objects.filter(pk=user.pk).exists()

    def test_every_model_of_a_user(self) -> None:
        """A model that has a user, or a row of a user's, is known to a place."""
        found: set[Any] = set()
        new: set[Any] = {User}
        while new:
            found |= new
            new = {
                model
                for model in apps.get_models(include_auto_created=True)
                for field in model._meta.concrete_fields
                if field.related_model in found and field.related_model is not Article
            } - found
        labels = {model._meta.label_lower for model in found}
        assert labels - covered() - {*ENDS_WITH} == set()


class Interrupted(Exception):
    """Somebody ended the command."""


def interrupt(*args: Any) -> int:
    """End the command."""
    raise Interrupted


def clear_a_piece(which: Any, person: Any, done: Any) -> int:
    """Clear one piece of the places, and end the command."""
    for place in which:
        if any(place.remove(person)):
            raise Interrupted
    return 0


@pytest.mark.slow
class TestInterrupted:
    """Who is interrupted begins again, and finishes."""

    def test_after_each_piece(self, user: User, monkeypatch: pytest.MonkeyPatch) -> None:
        """A run that is ended after its first piece, again and again, leaves nothing in the end."""
        monkeypatch.setattr(forgetting, "_clear", clear_a_piece)
        runs = 0
        while User.objects.filter(pk=user.pk).exists():
            runs += 1
            with suppress(Interrupted):
                forget_and_drain(user)
        drain_all()
        assert 10 < runs < 40
        assert tables_with_mark() == set()
        assert files() == []

    def test_closed_first(self, user: User, monkeypatch: pytest.MonkeyPatch) -> None:
        """From the beginning on nobody can log in as the person."""
        client = Client()
        client.force_login(user)
        monkeypatch.setattr(forgetting, "_clear", interrupt)
        with pytest.raises(Interrupted):
            forget_and_drain(user)
        user.refresh_from_db()
        assert not user.is_active
        assert not user.has_usable_password()
        assert client.get(reverse("profile-edit")).status_code == 302


def test_two_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second run has nothing left to do."""

    def finish_twice(person: Person) -> None:
        finish(person)
        finish(person)

    user = UserFactory()
    monkeypatch.setattr(forgetting, "finish", finish_twice)
    forget_and_drain(user)
    assert not User.objects.filter(pk=user.pk).exists()
    assert AuditLog.objects.filter(action=AuditLog.Action.FORGET).count() == 1


class TestWhatStays:
    """The log's entries, others' rows and calls that are to run."""

    def test_log(self, user: User) -> None:
        """No entry is gone, and those about the person say what happened, when and to which row."""
        before = {each.pk: each for each in AuditLog.objects.all()}
        forget_and_drain(user)
        after = {each.pk: each for each in AuditLog.objects.all()}
        assert before.keys() <= after.keys()
        for key, entry in before.items():
            for name in ("action", "model_label", "object_id", "timestamp", "request_id"):
                assert getattr(after[key], name) == getattr(entry, name)
        made = AuditLog.objects.get(model_label="auth.user", object_id=user.pk, action="CREATE")
        assert made.object_repr == f"User #{user.pk}"
        assert made.changes["values"]["username"] == MASK
        assert made.changes["values"]["id"] == str(user.pk)
        renamed = AuditLog.objects.get(model_label="content.category", action="UPDATE")
        assert (renamed.user_id, renamed.user_label, renamed.address) == (None, DELETED, "")
        assert renamed.changes["name"]["new"] == "Renamed"

    def test_itself_in_the_log(self, user: User) -> None:
        """The log says who had them forgotten, and of them the id alone."""
        forget_and_drain(user)
        entry = AuditLog.objects.get(action=AuditLog.Action.FORGET)
        said = (entry.user_label, entry.object_id, entry.object_repr, entry.changes)
        assert said == ("root@host", str(user.pk), f"User #{user.pk}", {})

    def test_others(self, user: User) -> None:
        """What others have stays as it is."""
        others = rows_of_others(user)
        forget_and_drain(user)
        assert rows_of_others(user) == others

    def test_calls(self, user: User) -> None:
        """No call is lost, and each keeps the arguments that are not the person's."""
        waiting = {*OutboxCall.objects.values_list("pk", "task", "status", "attempts")}
        with use(Context(actor="root@host")):
            forget(person_of(user))
        left = {*OutboxCall.objects.values_list("pk", "task", "status", "attempts")}
        assert waiting <= left
        call = OutboxCall.objects.get(task="of.an.app")
        assert json.loads(call.payload) == [[], {"to": DELETED, "n": 5}]
        assert call.error == "The error was removed, because it can tell of a deleted user."
        theirs = OutboxCall.objects.get(task="of.theirs")
        assert json.loads(theirs.context) == ["", DELETED, "r", "", {"for": DELETED}]
        assert drain_all().dead == 0

    def test_call_of_another(self, user: User) -> None:
        """A call that has nothing of the person is not touched: not a character of it."""
        before = OutboxCall.objects.create(
            pk=new_id(), task="x", payload='[[ ],  {"author":"reader"}]', status="dead",
            context='["7", "mara", "r", "10.0.0.1"]', error="ValueError: no",
        )  # fmt: skip
        forget_and_drain(user)
        after = OutboxCall.objects.get(pk=before.pk)
        for name in ("payload", "context", "error"):
            assert getattr(after, name) == getattr(before, name)


class TestOfAnother:
    """Anybody can sign up with the address of another, and with a word for a name."""

    @pytest.mark.every_database
    @pytest.mark.parametrize("verified", [True, False])
    def test_address(self, verified: bool) -> None:
        """Whose address it is keeps what was written about it, whoever claimed it as well."""
        if verified:
            make_user("bob", email="bob@example.com")
        else:
            User.objects.create_user("bob", "BOB@example.com")  # by an operator
        call = OutboxCall.objects.create(
            pk=new_id(), task="x", payload='[[], {"to": "bob@example.com"}]', status="dead",
            context='["", "", "", ""]',
        )  # fmt: skip
        forget_and_drain(make_user("eve", email="bob@example.com", verified=False))
        assert OutboxCall.objects.get(pk=call.pk).payload == call.payload

    def test_name(self) -> None:
        """A name that is a word of each session, or of the admin's log, takes nothing along."""
        client, bob, article = Client(), make_user("bob"), ArticleFactory(title="Red and changed")
        client.post("/login/", {"login": "bob", "password": PASSWORD})
        values = {"user": bob, "object_repr": article.title, "action_flag": CHANGE}
        values["change_message"] = '[{"changed": {"fields": ["Title"]}}]'
        entry = LogEntry.objects.create(
            content_type=ContentType.objects.get_for_model(article), object_id="1", **values
        )
        for name in ("changed", "fields", "title", "red", "password", "method", "allauth"):
            forget_and_drain(make_user(name))
        assert get_user(client) == bob
        after = LogEntry.objects.get(pk=entry.pk)
        assert (after.object_repr, after.change_message) == (
            entry.object_repr,
            entry.change_message,
        )

    @pytest.mark.parametrize(
        "message",
        ['[{"deleted": {"name": "comment", "object": "Comment by wil on Ada"}}]', "Thanks to wil."],
    )
    def test_name_in_a_message(self, message: str) -> None:
        """The name of a row, and what a program wrote, can tell of the person."""
        entry = LogEntry.objects.create(
            user=make_user("bob"), object_repr="Ada", action_flag=CHANGE, change_message=message
        )
        forget_and_drain(make_user("wil"))
        assert LogEntry.objects.get(pk=entry.pk).change_message == ""


@pytest.mark.slow
class TestKeepArticles:
    """What was published stays, under a name that tells nothing."""

    @pytest.mark.every_database
    def test_kept(self, user: User) -> None:
        """A published article and the comments of others stay, a draft goes."""
        article = Article.objects.get(title__startswith="Better title")
        forget_and_drain(user, keeps_articles=True)
        left = User.objects.get(pk=user.pk)
        assert left.get_username() == f"deleted.{user.pk}"
        assert (left.email, left.first_name, left.last_name) == ("", "", "")
        assert not left.is_active
        assert list(Article.objects.filter(author__user=left)) == [article]
        assert article.comments.count() == 1
        assert not Comment.objects.filter(user=left).exists()
        assertContains(Client().get(article.get_absolute_url()), f"deleted.{user.pk}")
        entries = AuditLog.objects.filter(model_label="content.article", object_id=article.pk)
        assert {each.object_repr for each in entries} >= {article.title}

    def test_nothing_else_is_left(self, user: User) -> None:
        """Without the article and what tells of it nothing of them is in any table."""
        forget_and_drain(user, keeps_articles=True)
        assert tables_with_mark() <= {"content.article", "audit.auditlog", "admin.logentry"}
        told = [str(row) for row in rows_of(AuditLog) if is_marked(row)]
        assert not [row for row in told if NAME in row or "@example" in row]
        assert files() == []

    @pytest.mark.slow
    def test_then_without(self, user: User) -> None:
        """Forgotten once more, without keeping anything, all of it is gone."""
        forget_and_drain(user, keeps_articles=True)
        forget_and_drain(User.objects.get(pk=user.pk))
        assert tables_with_mark() == set()

    def test_none_published(self) -> None:
        """Who published nothing is deleted."""
        user = UserFactory()
        forget_and_drain(user, keeps_articles=True)
        assert not User.objects.filter(pk=user.pk).exists()


def test_counts(user: User) -> None:
    """The counts are those of what is then removed, and counting changes nothing."""
    before = {model: list(rows_of(model)) for model in apps.get_models()}
    counts = count_places(person_of(user))
    assert {model: list(rows_of(model)) for model in apps.get_models()} == before
    assert counts["comments"] == 2
    assert min(counts.values()) > 0
    done = forget(person_of(user))
    assert done["articles"] == counts["articles"] == 2
    assert {*done} == {*counts}


@pytest.mark.every_database
@pytest.mark.parametrize("others", [0, 1])
def test_last_superuser(others: int) -> None:
    """The last superuser is refused, and nothing is changed."""
    user = UserFactory(is_superuser=True)
    UserFactory(is_superuser=True, is_active=False)
    UserFactory.create_batch(others, is_superuser=True)
    if others:
        forget_and_drain(user)
        assert not User.objects.filter(pk=user.pk).exists()
        return
    with pytest.raises(LastSuperuser):
        forget_and_drain(user)
    user.refresh_from_db()
    assert user.is_active
    assert user.has_usable_password()


def test_still_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """While others write of the person without an end, the user stays, and says so."""
    monkeypatch.setattr(forgetting, "_clear", lambda *args: 1)
    user = UserFactory()
    with pytest.raises(StillWritten):
        forget(person_of(user))
    assert User.objects.filter(pk=user.pk).exists()
