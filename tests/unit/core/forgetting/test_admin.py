"""Deleting users in the admin, and what no deletion in the admin takes along: the log."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from pytest_django.asserts import assertContains, assertNotContains

from aftercommit.worker.drain import drain_all
from audit.models import AuditLog
from content.models import Article, Comment
from tests.factories import (
    ArticleFactory,
    CategoryFactory,
    CommentFactory,
    ProductFactory,
    UserFactory,
    user_with,
)

pytestmark = pytest.mark.django_db(transaction=True)

LIST = reverse("admin:auth_user_changelist")


@pytest.fixture
def root(client: Client) -> User:
    """The only superuser, logged in."""
    user: User = UserFactory(username="root", is_staff=True, is_superuser=True)
    client.force_login(user)
    return user


def delete_page(row: Model) -> str:
    """The address of the page that deletes the row."""
    options = row._meta
    return reverse(f"admin:{options.app_label}_{options.model_name}_delete", args=[row.pk])


def test_page(client: Client, root: User) -> None:
    """It counts what the user has, and names none of it."""
    user = UserFactory(username="wil")
    CommentFactory.create_batch(3, user=user)
    page = client.get(delete_page(user))
    assertContains(page, "<li>Comments: 3</li>", html=True)
    assertNotContains(page, "Comment by")


def test_delete(client: Client, root: User) -> None:
    """The account is closed with the request, and the worker removes all the rest."""
    user = UserFactory(username="wil")
    CommentFactory(user=user)
    article = CommentFactory(article__author=user.author, article__published=True).article
    page = client.post(delete_page(user), {"post": "yes"}, follow=True)
    assertContains(page, "A worker removes the data of who was deleted.")
    user.refresh_from_db()
    assert not user.is_active
    assert drain_all().dead == 0
    assert not User.objects.filter(pk=user.pk).exists()
    assert not Article.objects.filter(pk=article.pk).exists()
    entry = AuditLog.objects.get(action=AuditLog.Action.FORGET)
    assert (entry.user, entry.object_id) == (root, str(user.pk))
    assert not AuditLog.objects.filter(object_repr__contains="wil").exists()


def test_selected(client: Client, root: User) -> None:
    """So are those that were selected in the list."""
    users = UserFactory.create_batch(2)
    data = {"action": "delete_selected", "_selected_action": [user.pk for user in users]}
    client.post(LIST, {**data, "post": "yes"})
    drain_all()
    assert list(User.objects.all()) == [root]


@pytest.mark.parametrize("selected", [False, True])
def test_fail_last_superuser(client: Client, root: User, selected: bool) -> None:
    """The last superuser is refused with the reason."""
    data = {"action": "delete_selected", "_selected_action": [root.pk]} if selected else {}
    address = LIST if selected else delete_page(root)
    assertContains(client.post(address, {**data, "post": "yes"}), "The last superuser")
    root.refresh_from_db()
    assert root.is_active


def test_fail_not_theirs(client: Client) -> None:
    """Who may not delete comments can't delete a user who has some."""
    staff = user_with(is_staff=True)
    allowed = ContentType.objects.get_for_model(User).permission_set.all()
    staff.user_permissions.set(allowed)
    client.force_login(staff)
    comment = CommentFactory()
    assert client.post(delete_page(comment.user), {"post": "yes"}).status_code == 403
    assert User.objects.get(pk=comment.user.pk).is_active


class TestTheLogStays:
    """Nothing but the retention and a person who is forgotten changes the log."""

    @pytest.mark.parametrize("kind", ["article", "comment", "category", "product", "user"])
    def test_deleted_in_the_admin(self, client: Client, root: User, kind: str) -> None:
        """Whatever is deleted in the admin, its entries are still there."""
        comment = CommentFactory(article=ArticleFactory(category=CategoryFactory()))
        rows: dict[str, Any] = {
            "article": comment.article,
            "category": comment.article.category,
            "comment": comment,
            "product": ProductFactory(),
            "user": comment.user,
        }
        row = rows[kind]
        drain_all()
        before = {*AuditLog.objects.values_list("pk", flat=True)}
        assert AuditLog.objects.for_object(row).exists()
        client.post(delete_page(row), {"post": "yes"})
        drain_all()
        assert not type(row)._base_manager.filter(pk=row.pk).exists()
        assert before < {*AuditLog.objects.values_list("pk", flat=True)}

    def test_content_types(self) -> None:
        """An entry outlives the type of its object."""
        CommentFactory()
        drain_all()
        before = AuditLog.objects.count()
        ContentType.objects.get_for_model(Comment).delete()
        assert AuditLog.objects.count() == before

    def test_nothing_cascades_to_it(self) -> None:
        """No reference of an entry takes the entry along."""
        fields: list[Any] = [field for field in AuditLog._meta.get_fields() if field.is_relation]
        assert {field.name for field in fields} == {"content_type", "user"}
        for field in fields:
            assert field.remote_field.on_delete.__name__ == "SET_NULL"
