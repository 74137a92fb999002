"""The address of Redis, and the login apart from it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery
from django.core.exceptions import ImproperlyConfigured
from redis import Redis
from redis.exceptions import NoPermissionError

from core.redis_login import RedisLogin
from core.stack.redis_server import RedisServer, redis_command
from core.stack.redis_users import user_lines

LOCAL = RedisLogin("redis://127.0.0.1:6379/0", password="kept")
PASSWORDS = ["Tide#7/b@d", "100%", "a b", "'\"\\", "größe ✓", ":@/?#[]&=+", "%41"]


def read(**environ: str) -> RedisLogin:
    """Return the login that these variables give."""
    return RedisLogin.read(environ, LOCAL)


def test_nothing_given() -> None:
    """The embedded server's login is taken."""
    assert read() == LOCAL
    assert read(REDIS_PASSWORD="word") == LOCAL._replace(password="word")


def test_the_password_leaves_the_url() -> None:
    """What stands in a URL is shown by accident: in settings, logs and error pages."""
    assert read(REDIS_URL="rediss://me:w%23rd@h:1/2?a=b") == ("rediss://h:1/2?a=b", "me", "w#rd")
    assert read(REDIS_URL="redis://h/0", REDIS_USERNAME="me") == ("redis://h/0", "me", "")
    assert read(REDIS_URL="redis://[::1]:1/0").url == "redis://[::1]:1/0"


@pytest.mark.parametrize("password", PASSWORDS)
def test_any_password(password: str) -> None:
    """Apart from the URL nothing in it has a meaning, and a URL can be made of both."""
    login = read(REDIS_URL="redis://h:1/0", REDIS_PASSWORD=password)
    assert login == ("redis://h:1/0", "", password)
    assert read(REDIS_URL=login.full_url) == login


def test_fail_when_there_are_two_passwords() -> None:
    """The sentence says where they are, and not what they are."""
    with pytest.raises(ImproperlyConfigured, match=r"^REDIS_URL has a password, and REDIS_PASSW"):
        read(REDIS_URL="redis://:hidden@h/0", REDIS_PASSWORD="hidden")


@pytest.mark.parametrize(
    "url",
    [
        "redis://:Tide#hidden/b@d@h/0",
        "redis://:hidden/b@h/0",
        "h:6379",
        "redis://h:hidden/0",
        "redis://h/0?password=hidden",
        "redis://h/0?timeout=1&password=hidden",
    ],
)
def test_fail_when_the_url_cannot_be_read(url: str) -> None:
    """A password with such characters belongs into a variable of its own, as the sentence says."""
    with pytest.raises(ImproperlyConfigured, match=r"password in REDIS_PASSWORD\.$") as raised:
        read(REDIS_URL=url)
    assert "hidden" not in f"{raised.value!r} {raised.value.__cause__!r}"


class Site(RedisServer):
    """A server with the users that ``make run`` and the containers have."""

    def __init__(self) -> None:
        super().__init__()
        self.password = PASSWORDS[0]

    def command(self) -> list[str | Path]:
        """Return the command line, with a user for Flower."""
        return redis_command(self.port, self.directory, user_lines(self.password, "of Flower"))

    @property
    def login(self) -> RedisLogin:
        """Return the login of the site."""
        return RedisLogin(f"redis://127.0.0.1:{self.port}/0", password=self.password)

    @property
    def url(self) -> str:
        return self.login.full_url


@pytest.fixture(scope="module")
def server() -> Iterator[Site]:
    """Return a server with a password that no URL could have as it is."""
    with Site() as server:
        yield server


class TestUsers:
    """What the users of our Redis may do."""

    def test_broker_and_cache(self, server: Site) -> None:
        """Both take the password apart from the address."""
        login = server.login
        with Redis.from_url(login.url, **login.options) as client:
            assert client.ping()
        with Celery(broker=login.url, set_as_current=False, fixups=[]) as app:
            app.conf.broker_password = login.password
            with app.connection_for_write() as connection:
                connection.ensure_connection(max_retries=1)

    def test_nobody_administers(self, server: Site) -> None:
        """A server that can be told to write files can be told to write any file."""
        with Redis.from_url(server.url) as client, pytest.raises(NoPermissionError):
            client.config_set("dir", "/")

    def test_flower(self, server: Site) -> None:
        """Flower reads no message and no value, sends no task, and sees how long queues are."""
        flower = Redis(port=server.port, username="flower", password="of Flower")
        with flower, Redis.from_url(server.url) as site:
            site.rpush("celery", "a message")
            assert flower.llen("celery") == 1
            assert flower.publish("/0.celery.pidbox", "{}") == 0
            for refused in (
                lambda: flower.lrange("celery", 0, -1),
                lambda: flower.lpush("celery", "a task"),
                lambda: flower.sadd("_kombu.binding.celery", "another queue"),
                lambda: flower.get(":1:outbox:turn:default:a"),
                lambda: flower.set("unacked_mutex", 1),
                lambda: flower.keys("*"),
                flower.flushall,
            ):
                with pytest.raises(NoPermissionError):
                    refused()
