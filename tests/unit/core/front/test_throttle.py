"""Limits of what people do: each page that writes has one, by user and by address."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from content.models import Article, Comment
from core.front import counters
from core.front.rates import DEFAULTS
from core.front.refusal import duration
from core.front.throttle import EXEMPT, PUBLISHING_FORMS, THROTTLE_OF, fold
from notifications.models import Follow
from tests.celery_engine.broker import Broker
from tests.connections import at_once
from tests.factories import PASSWORD, ArticleFactory, UserFactory
from tests.throttles import limit
from tests.unit.core.test_roles import site_matrix
from tests.unit.core.visits import World, addresses, browser_of, make_world

pytestmark = pytest.mark.django_db

LIMITS = {
    "account_login": "login",
    "account_reauthenticate": "login",
    "account_change_password": "login",
    "account_reset_password_from_key": "login",
    "account_signup": "signup",
    "account_reset_password": "reset",
    "account_email": "reset",
    "account_confirm_email": "write",
    "account_set_password": "write",
    "usersessions_list": "write",
    "admin-password-change": "write",
    "comment-create": "comment",
    "follow-author": "follow",
    "follow-category": "follow",
    "following": "follow",
    "unsubscribe": "",
    "article-publish": "publish",
    "article-create": "write",
    "article-edit": "write",
    "article-delete": "write",
    "product-create": "write",
    "product-edit": "write",
    "product-delete": "write",
    "profile-edit": "write",
    "avatar": "write",
    "view-on-site": "write",
    "account_logout": "",
}
"""The throttle of each address that answers to a POST, outside the admin. "" has none.

In the admin there are ``admin:login`` with that of ``login``, and ``write`` for all that follow.
"""


@pytest.fixture
def world() -> World:
    """Return users of each role, and what they visit."""
    return make_world()


class TestEachAddress:
    """A new address has the throttle ``write``, and has to be added to ``LIMITS``."""

    def test_here(self) -> None:
        """An address that takes a POST has no line, or an address that is gone has one."""
        takes = {
            name
            for (name, method), ends in site_matrix().items()
            if method == "POST" and {*ends.values()} - {"405"} and not name.startswith("admin:")
        }
        assert {name.partition(" of a ")[0] for name in takes} == {*LIMITS}

    def test_tables(self) -> None:
        """The tables of the code name addresses and throttles that there are."""
        assert {*THROTTLE_OF, *EXEMPT, *PUBLISHING_FORMS} <= {*addresses()}
        assert {*THROTTLE_OF.values()} <= DEFAULTS.keys()

    @pytest.mark.parametrize("name", LIMITS)
    def test_limited(self, world: World, settings: Settings, name: str) -> None:
        """After one POST the second is refused, by the throttle that the table says."""
        limit(settings, **{LIMITS[name] or "write": "1/1m/address"})
        browser = browser_of("superuser")
        answers = [browser.post(world.path(name)) for _ in range(2)]
        assert answers[0].status_code != 429
        assert (answers[1].status_code == 429) == bool(LIMITS[name])

    def test_admin(self, world: World, settings: Settings) -> None:
        """Every address of the admin is limited, but for logging out."""
        limit(settings, write="1/1h/address", login="1/1h/address")
        browser = browser_of("superuser")
        for name in ("admin:index", "admin:login"):
            browser.post(world.path(name))
        inside = {name for name in addresses() if name.startswith("admin:")}
        free = {name for name in inside if browser.post(world.path(name)).status_code != 429}
        assert free == {"admin:logout"}


def comment(browser: Client, article: Article, text: str = "Hm.", **kwargs: Any) -> int:
    """Comment on the article, and return the status."""
    path = f"/articles/{article.slug}/comments/"
    return browser.post(path, {"text": text}, **kwargs).status_code


def browser() -> Client:
    """Return a browser in which a new user is logged in."""
    client = Client()
    client.force_login(UserFactory())
    return client


class TestWhoIsCounted:
    """A person is limited, and so is an address, each for itself."""

    def test_user(self, settings: Settings) -> None:
        """One user's comments don't count for another at the same address."""
        limit(settings, comment="2/1m/user,50/1m/address")
        article, first, second = ArticleFactory(published=True), browser(), browser()
        assert [comment(first, article) for _ in range(3)] == [302, 302, 429]
        assert comment(second, article) == 302
        assert Comment.objects.count() == 3

    def test_user_of_many_addresses(self, settings: Settings) -> None:
        """It helps nobody to change the address."""
        limit(settings, comment="1/1m/user,50/1m/address")
        article, client = ArticleFactory(published=True), browser()
        statuses = [comment(client, article, REMOTE_ADDR=f"192.0.2.{n}") for n in range(2)]
        assert statuses == [302, 429]

    def test_address(self, settings: Settings) -> None:
        """Many accounts at one address are limited together, and other addresses are not."""
        limit(settings, comment="9/1m/user,2/1m/address")
        article = ArticleFactory(published=True)
        assert [comment(browser(), article) for _ in range(3)] == [302, 302, 429]
        assert comment(browser(), article, REMOTE_ADDR="192.0.2.1") == 302

    def test_ipv6(self, settings: Settings) -> None:
        """A client's whole /64 counts as one address."""
        limit(settings, comment="1/1m/address")
        article, client = ArticleFactory(published=True), browser()
        came_from = ["2001:db8::1", "2001:db8::2:1", "2001:db8:0:1::1"]
        assert [comment(client, article, REMOTE_ADDR=a) for a in came_from] == [302, 429, 302]

    def test_spoofed(self, settings: Settings) -> None:
        """A header of the client's own doesn't give it another address."""
        limit(settings, comment="1/1m/address")
        article, client = ArticleFactory(published=True), browser()
        spoofed = [{"X-Forwarded-For": f"192.0.2.{n}"} for n in range(2)]
        assert [comment(client, article, headers=each) for each in spoofed] == [302, 429]

    def test_unknown_address(self, settings: Settings) -> None:
        """Clients without an address are limited together, and not let through."""
        limit(settings, comment="1/1m/address")
        article, client = ArticleFactory(published=True), browser()
        assert [comment(client, article, REMOTE_ADDR="") for _ in range(2)] == [302, 429]

    def test_reading(self, settings: Settings) -> None:
        """Who reads isn't counted."""
        limit(settings, write="1/1m/address")
        assert {Client().get("/").status_code for _ in range(5)} == {200}

    def test_forged_token(self, settings: Settings) -> None:
        """What another site has a browser send is refused before, and doesn't count."""
        limit(settings, comment="1/1m/user")
        article, client = ArticleFactory(published=True), browser()
        client.handler.enforce_csrf_checks = True
        assert comment(client, article) == 403
        client.handler.enforce_csrf_checks = False
        assert comment(client, article) == 302


class TestPages:
    """What each limit is for."""

    def test_follow(self, settings: Settings) -> None:
        """Following and unfollowing count alike."""
        limit(settings, follow="3/1m/user")
        article, client = ArticleFactory(published=True), browser()
        path = f"/authors/{article.author.user.username}/follow/"
        assert [client.post(path).status_code for _ in range(4)] == [302, 302, 302, 429]
        assert Follow.objects.count() == 1

    def test_publish(self, settings: Settings) -> None:
        """The button and both forms publish, so that all three count."""
        limit(settings, publish="3/1m/user")
        article, client = ArticleFactory(), Client()
        client.force_login(article.author.user)
        form = {"title": "One", "content": "Two.", "status": "published"}
        paths = [
            f"/articles/{article.slug}/publish/",
            "/articles/new/",
            f"/articles/{article.slug}/edit/",
        ]
        assert [client.post(path, form).status_code for path in (*paths, *paths)] == [302] * 3 + [
            429
        ] * 3
        assert client.post("/articles/new/", form | {"status": "draft"}).status_code == 302

    def test_login(self, settings: Settings) -> None:
        """After some tries not even the right password helps, however the name is written."""
        limit(settings, login="2/1m/name+address")
        path = "/login/"
        UserFactory(username="mara", is_staff=True)
        for name in ("mara", " MARA "):
            assert Client().post(path, {"login": name, "password": "x"}).status_code == 200
        right = {"login": "mara", "password": PASSWORD}
        assert Client().post(path, right).status_code == 429
        assert Client().post(path, right, REMOTE_ADDR="192.0.2.9").status_code == 302
        assert Client().post(path, right | {"login": "nils"}).status_code == 200

    def test_login_by_another_spelling(self, settings: Settings) -> None:
        """A database that finds the user by another spelling gives no more tries for it."""
        limit(settings, login="2/1m/name")
        UserFactory(username="mara")
        spellings = ["mara", "M\u00c1RA", "ma\u200bra", "\uff4dara", "ma\u0301r\u0301a"]
        forms = [{"login": name, "password": "x"} for name in spellings]
        assert [Client().post("/login/", f).status_code for f in forms] == [200] * 2 + [429] * 3

    def test_fold(self) -> None:
        """A spelling is told from another, by its beginning."""
        assert len({fold(name) for name in ("mara", "nara", "mara1", "ma-ra", "мара")}) == 5
        assert len(fold("x" * 3_000_000)) < 1000

    def test_mailbox(self, settings: Settings) -> None:
        """What follows a plus in an address leads to the same mailbox."""
        limit(settings, signup="2/1h/name", reset="2/1h/name")
        for page in ("/signup/", "/account/password/reset/"):
            addresses = ("mara@example.com", "mara+1@example.com", "Mara+b+2@example.com")
            answers = [Client().post(page, {"email": each}).status_code for each in addresses]
            assert answers[-1] == 429
        assert Client().post("/signup/", {"email": "nora+1@example.com"}).status_code == 200

    def test_padded_name(self, settings: Settings) -> None:
        """A long name doesn't push the client's address out of what is counted."""
        limit(settings, login="1/1m/name+address")
        form = {"login": "x" * 1000, "password": "x"}
        came_from = ["192.0.2.1", "192.0.2.2", "192.0.2.1"]
        statuses = [Client().post("/login/", form, REMOTE_ADDR=a).status_code for a in came_from]
        assert statuses == [200, 200, 429]

    def test_another_field_gives_no_other_name(self, settings: Settings) -> None:
        """A field that the form doesn't have changes nothing about whom it is about."""
        limit(settings, login="2/1m/name")
        for junk in ("a", "b"):
            Client().post("/login/", {"login": "mara", "password": "x", "email": junk})
        form = {"login": "mara", "password": "x", "email": "c", "username": "d"}
        assert Client().post("/login/", form).status_code == 429

    @pytest.mark.django_db(transaction=True)
    def test_login_at_once(self, settings: Settings) -> None:
        """Of fifty log-ins at the same moment no more are looked at than one after the other."""
        limit(settings, login="7/5m/name+address,9/5m/address")
        settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
        form, statuses = {"username": "mara", "login": "mara", "password": "x"}, []
        at_once(*[lambda: statuses.append(Client().post("/login/", form).status_code)] * 50)
        assert sorted(statuses) == [200] * 7 + [429] * 43

    def test_nobody_locks_others_out_from_one_address(self, settings: Settings) -> None:
        """Tries that are refused don't count for the name, for which all addresses count."""
        limit(settings, login="2/1m/name+address,4/1h/name")
        UserFactory(username="mara")
        for _ in range(9):
            Client().post("/login/", {"login": "mara", "password": "x"})
        right = {"login": "mara", "password": PASSWORD}
        assert Client().post("/login/", right, REMOTE_ADDR="192.0.2.9").status_code == 302


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["pause", "kill"])
def test_redis_fails(settings: Settings, broker: Broker, fault: str) -> None:
    """A Redis that hangs or is gone fails no comment, and lifts no limit."""
    limit(settings, comment="2/1m/user")
    article, client = ArticleFactory(published=True), browser()
    assert comment(client, article) == 302
    getattr(broker, fault)()
    assert [comment(client, article) for _ in range(3)] == [302, 302, 429]
    broker.resume()
    broker.start()
    counters.outage.end()
    assert comment(browser(), article) == 302


class TestRefusal:
    """The page of a refusal."""

    def test_page(self, settings: Settings) -> None:
        """It says what was too many, when to try again, and has the text that was written."""
        limit(settings, comment="1/2m/user")
        article, client = ArticleFactory(published=True), browser()
        comment(client, article)
        text = "<b>Long</b>\nand two lines."
        path = f"/articles/{article.slug}/comments/"
        answer = client.post(path, {"text": text})
        page = answer.content.decode()
        assert answer.status_code == 429
        assert 118 <= int(answer["Retry-After"]) <= 120
        assert answer["Cache-Control"] == "no-store"
        assert "<h1>Too many comments</h1>" in page
        assert "At most 1 in 2 minutes is possible from your account." in page
        assert "Try again in 2 minutes." in page
        assert "&lt;b&gt;Long&lt;/b&gt;\nand two lines.</textarea>" in page
        assert f'<form method="post" action="{path}"' in page
        assert "default-src" in answer["Content-Security-Policy"]

    def test_other_fields(self, settings: Settings) -> None:
        """Short fields are sent again unseen, so that the form is whole."""
        limit(settings, write="1/1m/user")
        client = browser()
        form = {"title": "One", "content": "x" * 100, "status": "draft"}
        client.post("/articles/new/", form)
        page = client.post("/articles/new/", form).content.decode()
        assert '<input type="hidden" name="title" value="One">' in page
        assert f"{form['content']}</textarea>" in page

    def test_file(self, settings: Settings) -> None:
        """The text beside a file is kept, and the page says that the file isn't."""
        limit(settings, write="1/1m/user")
        client = browser()
        for _ in range(2):
            picture = SimpleUploadedFile("a.png", b"x")
            answer = client.post("/profile/", {"bio": "Long.\n" * 9, "avatar": picture})
        page = answer.content.decode()
        assert "Long.\nLong." in page
        assert "but for the file" in page

    def test_token(self, settings: Settings) -> None:
        """The form has a token of its own, once, and no trace of the one that was sent."""
        limit(settings, write="1/1m/user")
        client = browser()
        form = {"title": "One", "csrfmiddlewaretoken": "sent"}
        page = [client.post("/articles/new/", form).content.decode() for _ in range(2)][1]
        form_of_page = page.partition("<main")[2]
        assert form_of_page.count("csrfmiddlewaretoken") == 1
        assert "sent" not in form_of_page

    def test_password(self, settings: Settings) -> None:
        """No page shows a password."""
        limit(settings, login="1/1m/address")
        form = {"login": "mara", "password": "hunter2" * 20}
        pages = [Client().post("/login/", form).content.decode() for _ in range(2)]
        assert "Too many attempts with a password" in pages[1]
        assert "hunter2" not in pages[1]
        assert "<textarea" not in pages[1]

    @pytest.mark.parametrize(
        ("seconds", "words"),
        [
            (1, "1 second"), (59, "59 seconds"), (60, "1 minute"), (61, "2 minutes"),
            (3600, "1 hour"), (3601, "2 hours"), (86_400, "24 hours"),
        ],
    )  # fmt: skip
    def test_duration(self, seconds: int, words: str) -> None:
        """Times are rounded up: who comes back then is let through."""
        assert duration(seconds) == words


def test_costs_no_query(
    settings: Settings, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """A limit costs the request nothing in the database, and a refused request makes none."""
    article = ArticleFactory(published=True)
    limit(settings)
    with django_assert_num_queries(0):
        Client().post("/login/", {})
    limit(settings, login="1/1m/name+address,1/1m/address")
    with django_assert_num_queries(0):
        assert [Client().post("/login/", {}).status_code for _ in range(2)] == [200, 429]
    assert article.comments.count() == 0


def test_keys_tell_nobody(settings: Settings) -> None:
    """Who reads Redis finds neither a name nor an address."""
    limit(settings, login="5/1m/name,5/1m/name+address,5/1m/address")
    Client().post("/login/", {"login": "mara"}, REMOTE_ADDR="192.0.2.77")
    redis = counters._script().registered_client
    keys = b" ".join(redis.scan_iter("aftercommit:throttle:*")).decode()
    assert keys.count("throttle:login") == 3
    assert "mara" not in keys
    assert "192.0.2" not in keys
    assert {redis.get(key) for key in keys.split()} == {b"1"}
