"""Redis as input from outside: what somebody puts there is read as data, and never run."""

import pickle
from pathlib import Path
from typing import Any

import pytest
from celery import current_app
from django.conf import settings
from django.core.cache import cache
from django.test import Client
from redis import Redis

from aftercommit.outbox.wake import flush_wake_ups
from aftercommit.worker.drain import drain_all
from aftercommit.worker.sweep import sweep
from content.tasks import count_views
from tests.connections import redis_url
from tests.factories import ArticleFactory
from tests.unit.aftercommit.redis.test_cache import Exploit

DJANGO, OURS = "django.core.cache.backends.redis.RedisCache", "aftercommit.redis.cache.RedisCache"


@pytest.fixture
def poison(tmp_path: Path) -> bytes:
    """A value that creates the file ``run`` when it is unpickled."""
    return pickle.dumps(Exploit(tmp_path / "run"))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("backend", [OURS, DJANGO])
def test_cache(backend: str, client: Client, poison: bytes, tmp_path: Path, settings: Any) -> None:
    """A page view that wakes, a drain and a sweep unpickle nothing, and do what they should."""
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": redis_url()}}
    article = ArticleFactory(published=True)
    drain_all()
    flush_wake_ups(10)
    cache.clear()
    with Redis.from_url(redis_url()) as redis:
        for what in ("turn", "flag", "unanswered"):
            for task in current_app.tasks:
                redis.set(cache.make_key(f"outbox:{what}:default:{task}"), poison)
    assert client.get(article.get_absolute_url()).status_code == 200
    assert flush_wake_ups(10)
    sweep("default")
    drain_all()
    article.refresh_from_db()
    assert article.view_count == 1
    assert not (tmp_path / "run").exists()
    with Redis.from_url(redis_url()) as redis:
        turn = redis.get(cache.make_key(f"outbox:turn:default:{count_views.name}"))
    assert int(turn) > 0  # type: ignore[arg-type]  # redis-py's clients may be asynchronous


def test_nothing_of_the_site_unpickles(poison: bytes, tmp_path: Path) -> None:
    """Whoever reads the site's own cache runs nothing either."""
    cache.clear()
    with Redis.from_url(redis_url()) as redis:
        redis.set(cache.make_key("anything"), poison)
    assert cache.get("anything") is None
    assert not (tmp_path / "run").exists()


def test_only_json_is_taken() -> None:
    """Neither tasks nor results nor what controls a worker may come as a pickle."""
    conf = current_app.conf
    assert [*conf.accept_content] == ["json"]
    assert [*conf.result_accept_content] == ["json"]
    assert [*current_app.control.mailbox.accept] == ["json"]
    assert (conf.task_serializer, conf.result_serializer, conf.event_serializer) == ("json",) * 3
    assert not {"application/x-python-serialize", "pickle"} & {*current_app.backend.accept}
    assert settings.SESSION_SERIALIZER.endswith("JSONSerializer")
