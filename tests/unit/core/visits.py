"""Visits of every address by every role: who they are, what they visit, and how it ends."""

from collections.abc import Iterator
from copy import deepcopy
from http.cookies import SimpleCookie
from typing import Any, NamedTuple

from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.contrib.auth.models import Group, Permission, User
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, get_resolver, reverse
from django.utils import timezone
from django_celery_results.models import GroupResult, TaskResult

from aftercommit.models import OutboxBatch, OutboxCall, OutboxWorker
from audit.models import AuditLog
from content.models import Article, Product, Profile
from core.logins.models import FailedLogin
from notifications.models import Announcement, Follow, Kind, Mute
from notifications.unsubscribing import Subscription
from tests.factories import (
    ArticleFactory,
    CategoryFactory,
    CommentFactory,
    ProductFactory,
    UserFactory,
)
from tests.unit.notifications.made import make_delivery

ROLES = ("anonymous", "reader", "author", "other", "staff", "editor", "superuser")
"""``other`` is another author, ``staff`` has no permission, ``editor`` all of the domain's."""

OLD_LINKS = "<path:object_id>/"
"""Addresses of the admin without a name, which redirect to the page of the row."""


def addresses(entries: list[Any] | None = None, prefix: str = "") -> Iterator[str]:
    """Yield the name of each address of the site, or the pattern of one without a name."""
    for entry in get_resolver().url_patterns if entries is None else entries:
        if not isinstance(entry, URLPattern):
            inner = f"{entry.namespace}:" if entry.namespace else prefix
            yield from addresses(entry.url_patterns, inner)
        elif str(entry.pattern) != OLD_LINKS:
            yield prefix + (entry.name or str(entry.pattern))


class World(NamedTuple):
    """Who visits, and what there is to visit."""

    draft: Article
    published: Article
    product: Product

    def path(self, address: str) -> str:
        """Return a path of the address. ``article-edit of a draft`` is that of the draft."""
        name, _, draft = address.partition(" of a ")
        article = self.draft if draft else self.published
        if name == "admin:(?P<url>.*)$":
            return reverse("admin:index") + "none/"
        return reverse(name, kwargs=self._arguments(name, article))

    def _arguments(self, name: str, article: Article) -> dict[str, Any]:
        category, author = article.category, article.author
        on_site = {"content_type_id": key_of_articles(), "object_id": self.draft.pk}
        given: dict[str, dict[str, Any]] = {
            "view-on-site": on_site,
            "admin:view_on_site": on_site,
            "admin:app_list": {"app_label": "content"},
            "avatar": {"name": "none.png"},
            "unsubscribe": {"token": Subscription(author.user.pk, Kind.COMMENT_POSTED).token},
            "account_confirm_email": {"key": "none"},
            "account_reset_password_from_key": {"uidb36": "1", "key": "none"},
            "category-detail": {"slug": category.slug if category else ""},
            "follow-category": {"slug": category.slug if category else ""},
            "author-detail": {"username": author.user.username},
            "follow-author": {"username": author.user.username},
            "product-edit": {"pk": self.product.pk},
            "product-delete": {"pk": self.product.pk},
        }
        about = {f"article-{page}" for page in ("detail", "edit", "publish", "delete")}
        if name in about | {"comment-create"}:
            return {"slug": article.slug}
        return given[name] if name in given else row_of(name)


def key_of_articles() -> int:
    """Return the key of the content type of articles."""
    return ContentType.objects.get_for_model(Article).pk


def row_of(address: str) -> dict[str, Any]:
    """Return the arguments of an admin's page: the first row of the model, or none for a list."""
    for model in admin.site._registry:
        start = f"admin:{model._meta.app_label}_{model._meta.model_name}_"
        if address.startswith(start) and address[len(start) :] not in ("add", "changelist"):
            key = "id" if address.endswith("user_password_change") else "object_id"
            row = model._default_manager.order_by("pk").first()
            assert row is not None, model
            return {key: row.pk}
    return {}


def make_world() -> World:
    """Make a user of each role, and a row of each model."""
    users = {role: UserFactory(username=role) for role in ROLES[1:]}
    User.objects.filter(username__in=ROLES[4:]).update(is_staff=True)
    User.objects.filter(username="superuser").update(is_superuser=True)
    Profile.objects.update(bio="Here.")
    rights = Permission.objects.filter(content_type__app_label="content")
    users["editor"].user_permissions.set(rights)
    category, author = CategoryFactory(), users["author"].author
    draft = ArticleFactory(author=author, category=category)
    published = ArticleFactory(author=author, category=category, published=True)
    ArticleFactory(author=users["other"].author, published=True)
    CommentFactory(article=published, user=users["reader"])
    Follow.objects.create(user=users["reader"], author=author)
    make_delivery("visited")
    Mute.objects.create(user=users["other"], kind=Kind.COMMENT_POSTED)
    # Where a worker runs it may have announced the article already.
    Announcement.objects.get_or_create(article=published, defaults={"author": author})
    Group.objects.create(name="visited")
    FailedLogin.objects.create(at=timezone.now())
    UserSession.objects.create(user=users["reader"], ip="127.0.0.1", session_key="visited")
    TaskResult.objects.create(task_id="visited")
    GroupResult.objects.create(group_id="visited")
    dead = {"payload": "[[], {}]", "context": "[]", "status": "dead"}
    # Their ids are none that the outbox could choose next.
    OutboxCall.objects.create(id=1, task="visited", **dead)
    OutboxBatch.objects.create(id=1, task="visited", calls=[], worker="visited")
    OutboxWorker.objects.create(name="visited", host="visited", pid=1, tasks={})
    AuditLog.objects.create(
        model_label="x", object_id="1", object_repr="x", action="CREATE", changes={"values": {}}
    )
    return World(draft, published, ProductFactory())


def browser_of(role: str) -> Client:
    """Return a browser in which the role is logged in, or nobody."""
    client = Client()
    if role != "anonymous":
        client.force_login(User.objects.get(username=role))
    return client


QUERIES = {"admin:autocomplete": "?app_label=content&model_name=article&field_name=author"}


def visit(world: World, browser: Client, address: str, method: str, keep: bool = False) -> str:
    """Return how a visit ends: "ok", "login" or the status of an error.

    What the visit changed is rolled back, but with ``keep=True``. The browser stays logged in.
    """
    cookies: SimpleCookie = deepcopy(browser.cookies)
    with transaction.atomic():
        response = browser.generic(method, world.path(address) + QUERIES.get(address, ""))
        transaction.set_rollback(not keep)
    browser.cookies = cookies
    if response.status_code >= 400:
        return str(response.status_code)
    login = response.status_code == 302 and "/login/?next=" in response["Location"]
    return "login" if login else "ok"
