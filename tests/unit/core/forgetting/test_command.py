"""``manage.py forget USER``: who is found, what is asked, and what it says."""

import sys

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from aftercommit.management.system_user import system_user
from aftercommit.worker.drain import drain_all
from audit.models import AuditLog
from core.forgetting.management.commands import forget as command
from core.forgetting.person import Person
from tests.factories import CommentFactory
from tests.people import make_user

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def user() -> User:
    """A user with two comments."""
    user = make_user("wilhelmina", email="Wil@example.com")
    CommentFactory.create_batch(2, user=user)
    return user


def exists(user: User) -> bool:
    """Whether the user is there."""
    return User.objects.filter(pk=user.pk).exists()


@pytest.mark.parametrize("how", ["wilhelmina", "WILhelmina", "wil@EXAMPLE.com", "id", "#id"])
def test_found(user: User, how: str, capsys: pytest.CaptureFixture[str]) -> None:
    """By name, by address and by id. It says what it removed, and the log who ran it."""
    call_command("forget", how.replace("id", str(user.pk)), "--no-input")
    assert not exists(user)
    out = capsys.readouterr().out
    assert "  comments: 2\n" in out
    assert f"User #{user.pk} is forgotten.\n" in out
    assert "wil" not in out
    drain_all()
    entry = AuditLog.objects.get(action=AuditLog.Action.FORGET)
    assert (entry.user_label, entry.object_id) == (system_user(), str(user.pk))


@pytest.mark.parametrize("who", ["nobody", "#wilhelmina", "999999", "9" * 30, "", "\x1b[2J"])
def test_fail_unknown(user: User, who: str) -> None:
    """Nobody of that name, id or address: a sentence that a terminal can show."""
    with pytest.raises(CommandError, match="No user has the name, the address or the id") as error:
        call_command("forget", who, "--no-input")
    assert str(error.value).isprintable()
    assert exists(user)


def test_fail_several(user: User) -> None:
    """What several users have is refused with their ids."""
    other = make_user(email="wil@example.com", verified=False)
    with pytest.raises(CommandError) as error:
        call_command("forget", "wil@example.com", "--no-input")
    ids = f"#{user.pk}, #{other.pk}"
    assert str(error.value) == f"Several users have 'wil@example.com': {ids}. Give one's id."
    assert exists(user)


def test_dry_run(user: User, capsys: pytest.CaptureFixture[str]) -> None:
    """It shows the counts, and changes nothing."""
    call_command("forget", "wilhelmina", "--dry-run")
    out = capsys.readouterr().out
    assert out.startswith(f"User #{user.pk}, wilhelmina\n")
    assert "  comments: 2\n" in out
    assert out.endswith("Nothing was changed.\n")
    user.refresh_from_db()
    assert user.is_active


class Terminal:
    """A person at a terminal."""

    def isatty(self) -> bool:
        """As a terminal says."""
        return True


@pytest.mark.parametrize(
    ("answer", "gone"), [("y", True), ("YES", True), ("", False), ("x", False)]
)
def test_asks(user: User, answer: str, gone: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """At a terminal it shows the counts and asks. Whatever isn't yes is no."""
    asked: list[str] = []

    def reply(question: str) -> str:
        asked.append(question)
        return answer

    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr("builtins.input", reply)
    if gone:
        call_command("forget", "wilhelmina")
    else:
        with pytest.raises(CommandError, match="Nothing was changed"):
            call_command("forget", "wilhelmina")
    assert asked == [f"Forget user #{user.pk} for good? [y/N] "]
    assert exists(user) != gone


def test_fail_nobody_to_ask(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a terminal it changes nothing, and says what to add."""
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(CommandError, match="nobody is here to confirm"):
        call_command("forget", "wilhelmina")
    assert exists(user)


def test_fail_last_superuser(user: User) -> None:
    """The last superuser is refused with what to do."""
    User.objects.filter(pk=user.pk).update(is_superuser=True)
    with pytest.raises(CommandError, match="is the last superuser"):
        call_command("forget", "wilhelmina", "--no-input")
    assert exists(user)


def test_keep_articles(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """The option is passed on."""
    seen: list[bool] = []

    def note(person: Person) -> dict[str, int]:
        seen.append(person.keeps_articles)
        return {}

    monkeypatch.setattr(command, "forget", note)
    call_command("forget", "wilhelmina", "--keep-articles", "--no-input")
    call_command("forget", "wilhelmina", "--no-input")
    assert seen == [True, False]
