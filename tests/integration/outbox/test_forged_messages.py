"""Messages that somebody puts into the broker: they cost time, and do nothing else."""

import json
import pickle
from base64 import b64encode
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group
from redis import Redis

from core.stack.waiting import wait_until
from tests.celery_engine.broker import Broker
from tests.celery_engine.worker import ProjectWorker
from tests.integration.outbox import tasks
from tests.integration.outbox.conftest import StartWorker
from tests.unit.aftercommit.redis.test_cache import Exploit

TIMEOUT = 30
JSON = "application/json"
PICKLE = "application/x-python-serialize"


def message(task: Any, body: Any, kind: str = JSON, **headers: Any) -> dict[str, Any]:
    """Return a message as kombu writes it, with any body."""
    number = str(uuid4())
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return {
        "body": b64encode(raw).decode(),
        "content-encoding": "utf-8" if kind == JSON else "binary",
        "content-type": kind,
        "headers": {"lang": "py", "task": task, "id": number, "root_id": number, **headers},
        "properties": {
            "correlation_id": number,
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": "celery"},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": str(uuid4()),
        },
    }


def wake_up(*arguments: Any, **headers: Any) -> dict[str, Any]:
    """Return a wake-up with any arguments."""
    return message("aftercommit.drain", [arguments, {}, {}], **headers)


def old_wake_up(**fields: Any) -> dict[str, Any]:
    """Return a wake-up of Celery's first protocol, which has all in its body."""
    arguments = [tasks.make_group.name, "default"]
    body = {"task": "aftercommit.drain", "id": str(uuid4()), "args": arguments, "kwargs": {}}
    return {**message("", {**body, **fields}), "headers": {}}


def forged(exploit: bytes) -> dict[str, bytes]:
    """Return messages that nobody of ours would send, each by its fault."""
    ours = wake_up(tasks.make_group.name, "default")
    messages: dict[str, Any] = {
        "no object": [1, 2],
        "a text": "drain",
        "null": None,
        "nothing in it": {},
        "no properties": {**ours, "properties": None},
        "no tag": {**ours, "properties": {}},
        "a tag that is a list": {**ours, "properties": {**ours["properties"], "delivery_tag": []}},
        "an odd place": {**ours, "properties": {**ours["properties"], "delivery_info": [7]}},
        "a name that is a list": wake_up(tasks.make_group.name, "default", shadow=["a"]),
        "odd stamps": wake_up(tasks.make_group.name, "default", stamped_headers=True),
        "no headers": {**ours, "headers": None},
        "odd headers": {**ours, "headers": [1]},
        "no base64": {**ours, "body": "#"},
        "a body that is a number": {**ours, "body": 7},
        "another encoding": {**ours, "content-encoding": "rot13"},
        "another type": {**ours, "content-type": "application/x-yaml"},
        "a pickle": message("aftercommit.drain", exploit, PICKLE),
        "a pickle that says it is JSON": message("aftercommit.drain", exploit),
        "no task": message(None, [[], {}, {}]),
        "a task that is a list": message(["a"], [[], {}, {}]),
        "an unknown task": message("os.system", [["touch run"], {}, {}]),
        "no arguments": wake_up(),
        "too many": wake_up(tasks.make_group.name, "default", 3),
        "a task that is no text": wake_up({"a": 1}, "default"),
        "a task to import": wake_up("os.system", "default"),
        "no such database": wake_up(tasks.make_group.name, "other"),
        "a database that is no text": wake_up(tasks.make_group.name, ["default"]),
        "odd turns": wake_up(tasks.make_group.name, "default", outbox_turn="9" * 5000),
        "odd times": wake_up(tasks.make_group.name, "default", outbox_turn=[1], outbox_sent="a"),
        "an odd limit": wake_up(tasks.make_group.name, "default", timelimit=["a", {}]),
        "an endless limit": wake_up(tasks.make_group.name, "default", timelimit=[1e400, 1]),
        "an odd limit of old": old_wake_up(timelimit=["a", {}]),
        "a name that is a list of old": old_wake_up(shadow=["a"]),
        "odd stamps of old": old_wake_up(stamped_headers=7),
        "an odd date": wake_up(tasks.make_group.name, "default", eta="tomorrow"),
        "an odd end": wake_up(tasks.make_group.name, "default", expires="never"),
        "a long one": wake_up("a" * 5_000_000, "default"),
    }
    raw = {name: json.dumps(each).encode() for name, each in messages.items()}
    return {
        **raw,
        "no JSON": b"drain",
        "half of one": raw["no arguments"][:50],
        "no text": b"\xff\xfe\x00",
        "deep": b"[" * 200_000,
        "empty": b"",
    }


def commands() -> list[bytes]:
    """Return commands of remote control that nobody of ours would send."""
    odd: list[Any] = [
        *([1, 2], None, 7, {"method": ["a"]}, {"method": "ping", "destination": 7}),
        {"method": "ping", "arguments": {}, "pattern": 3, "matcher": 9},
        {"method": "ping", "arguments": {}, "reply_to": 7, "ticket": 1},
        {"method": "rate_limit", "arguments": {"a": []}},
    ]
    no_body = {**wake_up(), "body": "#"}
    return [json.dumps(each).encode() for each in (no_body, *(message("x", body) for body in odd))]


def put(redis: Redis, *messages: bytes) -> None:
    """Put messages into the queue that the worker reads."""
    redis.lpush("celery", *messages)


@pytest.mark.slow
def test_nothing_comes_of_them(start_worker: StartWorker, broker: Broker, tmp_path: Path) -> None:
    """The worker lives, no code runs, and a call that is made meanwhile has its effect once."""
    run = tmp_path / "run"
    worker = start_worker()
    with Redis.from_url(broker.url) as redis:
        for name, each in forged(pickle.dumps(Exploit(run))).items():
            put(redis, each)
            wait_until(lambda: not redis.llen("celery"), TIMEOUT, partial(describe, worker, name))
        for command in commands():
            assert redis.publish("/0.celery.pidbox", command)
        put(redis, *[json.dumps(wake_up(tasks.make_group.name, "default")).encode()] * 300)
    tasks.make_group.delay_on_commit("after all")
    wait_until(Group.objects.filter(name="after all").exists, TIMEOUT, worker.logs)
    assert worker.running
    assert "Control command error" not in worker.logs()  # after which a worker can stand still
    assert Group.objects.count() == 1
    assert not run.exists()


def describe(worker: ProjectWorker, name: str) -> str:
    """Return what the worker said to a message."""
    return f"the message with {name!r} to be taken\n{worker.logs()[-3000:]}"
