"""Who got which rights is in the log: changes of many-to-many fields."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.db import connection, transaction
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_delete
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from aftercommit.tracking.auditable import adopt
from audit import receivers
from audit.models import AuditLog
from core import settings
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db(transaction=True)

Logged = Callable[[Any], list[AuditLog]]


@pytest.fixture
def user() -> User:
    """A user without rights."""
    user: User = UserFactory(username="mara")
    return user


@pytest.fixture
def group() -> Group:
    """A group of users."""
    return Group.objects.create(name="Editors")


@pytest.fixture
def audited_groups() -> Iterator[None]:
    """Have groups audited as the site has them, for one test."""
    bases, through = Group.__bases__, Group.permissions.through
    adopt(Group)
    receivers.connect(Group, **settings.AUDIT_MODELS["auth.Group"])
    yield
    post_save.disconnect(receivers.saved_write_audit_log, sender=Group)
    pre_delete.disconnect(receivers.deleting_lock_row, sender=Group)
    post_delete.disconnect(receivers.deleted_write_audit_log, sender=Group)
    m2m_changed.disconnect(receivers.related_write_audit_log, sender=through)
    Group.__bases__ = bases


def relations(logs: list[AuditLog], name: str = "groups") -> list[tuple[Any, Any]]:
    """The old and the new of each entry about the field, oldest first."""
    pairs = [log.changes[name] for log in reversed(logs) if name in log.changes]
    return [(pair["old"], pair["new"]) for pair in pairs]


@pytest.mark.every_database
@pytest.mark.parametrize(
    ("add", "take"),
    [
        (lambda user, group: user.groups.add(group), lambda user, group: user.groups.remove(group)),
        (lambda user, group: user.groups.set([group]), lambda user, group: user.groups.set([])),
        (lambda user, group: group.user_set.add(user), lambda user, group: user.groups.clear()),
        (lambda user, group: user.groups.add(group.pk), lambda user, group: group.user_set.clear()),
        (
            lambda user, group: group.user_set.set([user]),
            lambda user, group: group.user_set.remove(user),
        ),
    ],
    ids=["add", "set", "clear", "reverse clear", "reverse set"],
)
def test_group(
    user: User, group: Group, logged: Logged, add: Callable[..., Any], take: Callable[..., Any]
) -> None:
    """It is named where the user got it, and where it was taken away, from either side."""
    add(user, group)
    take(user, group)
    logs = logged(user)
    name = f"Editors (#{group.pk})"
    assert relations(logs) == [(None, name), (name, None)]
    assert {log.object_repr for log in logs} == {"mara"}


def test_nothing_that_did_not_happen(user: User, group: Group, logged: Logged) -> None:
    """What was there is not added, and what was not there is not taken."""
    user.groups.remove(group)
    user.groups.clear()
    user.groups.add(group)
    user.groups.add(group)
    user.groups.set([group])
    assert len(relations(logged(user))) == 1


def test_one_of_several(user: User, group: Group, logged: Logged) -> None:
    """The entry about what was taken has that alone."""
    other = Group.objects.create(name="Readers")
    user.groups.set([group, other])
    user.groups.remove(other)
    assert relations(logged(user))[-1] == (f"Readers (#{other.pk})", None)


def test_name_from_the_other_side(
    user: User, group: Group, logged: Logged, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request doesn't name an object of which it knows the key alone."""
    monkeypatch.setattr(User, "__str__", lambda self: f"User {self.username}")
    group.user_set.add(user)
    assert logged(user)[0].object_repr == "User mara"


def test_rolled_back(user: User, group: Group, logged: Logged) -> None:
    """No entry tells of it."""
    with transaction.atomic():
        user.groups.add(group)
        transaction.set_rollback(True)
    assert relations(logged(user)) == []


def test_what_an_addition_costs(user: User, group: Group) -> None:
    """The request pays for no statement but the INSERT of the call."""
    with CaptureQueriesContext(connection) as queries, transaction.atomic():
        user.groups.add(group)
    run = [each["sql"].split()[:3] for each in queries.captured_queries]
    tables = [" ".join(words) for words in run if words[0] in ("INSERT", "SELECT", "UPDATE")]
    assert len(tables) <= 3  # what is there (on some databases), the row, and the call
    assert sum("aftercommit" in each for each in tables) == 1


@pytest.mark.usefixtures("audited_groups")
def test_permissions(user: User, group: Group, logged: Logged) -> None:
    """Of a user and of a group, each by its name, in one entry."""
    rights = Permission.objects.filter(codename__in=["add_user", "change_user"])
    user.user_permissions.set(rights)
    group.permissions.set(rights)
    for holder, field in ((user, "user_permissions"), (group, "permissions")):
        ((old, new),) = relations(logged(holder), field)
        assert old is None
        assert "Can add user (#" in new
        assert "Can change user (#" in new


def test_name_of_what_is_gone(user: User, group: Group, logged: Logged) -> None:
    """It goes by its key."""
    user.groups.add(group)
    pk = group.pk
    group.delete()
    assert relations(logged(user)) == [(None, f"(#{pk})")]


def test_superuser_made_in_the_admin(client: Client, group: Group, logged: Logged) -> None:
    """Who did it, and all that it gave."""
    boss = UserFactory(is_staff=True, is_superuser=True)
    chosen = UserFactory(username="mara")
    client.force_login(boss)
    data = {
        "username": "mara", "is_active": "on", "is_staff": "on", "is_superuser": "on",
        "groups": [group.pk], "date_joined_0": "2024-01-01", "date_joined_1": "12:00",
    }  # fmt: skip
    response = client.post(reverse("admin:auth_user_change", args=[chosen.pk]), data)
    assert response.status_code == 302
    logs = logged(chosen)
    assert relations(logs) == [(None, f"Editors (#{group.pk})")]
    changed = next(log for log in logs if "is_superuser" in log.changes)
    assert changed.changes["is_superuser"] == {"old": "False", "new": "True"}
    assert {log.user for log in logs if log.action == AuditLog.Action.UPDATE} == {boss}
    for log in logs:
        page = client.get(reverse("admin:audit_auditlog_change", args=[log.pk]))
        assert page.status_code == 200


def test_excluded(user: User, group: Group, logged: Logged) -> None:
    """A field that the setting excludes has no entries."""
    try:
        receivers.connect(User, exclude=["groups", "last_login"])
        user.groups.add(group)
        assert relations(logged(user)) == []
    finally:
        receivers.connect(User, exclude=["last_login"])
