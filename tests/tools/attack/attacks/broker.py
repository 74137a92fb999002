"""Write to Redis, which carries the wake-ups and counts what is throttled."""

import base64
import json
import pickle
import time
import uuid
from pathlib import Path

import psutil
from django.core.cache import cache
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from aftercommit.models import OutboxCall
from audit.models import AuditLog
from content.models import Product
from core.stack.waiting import wait_until
from tests.tools.attack.registry import attack
from tests.tools.attack.target import Target
from tests.tools.attack.tries import Tries

PATIENCE = 30
ONCE = Retry(NoBackoff(), 0)
OF_NOBODY = (
    "CONFIG SET dir /",
    "MODULE LOAD /x.so",
    "DEBUG SLEEP 0",
    "SLAVEOF 127.0.0.1 1",
    "SHUTDOWN",
)
OF_OTHERS = (
    *OF_NOBODY,
    "LPUSH celery x",
    "KEYS *",
    "GET aftercommit:x",
    "FLUSHALL",
    "EVAL return(redis.call('GET',KEYS[1])) 1 x",
)
QUEUE = "celery"


class Exploit:
    """An object that writes a file when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.file,)


def message(task: str, args: object, body: bytes = b"", kind: str = "application/json") -> bytes:
    """Return a message as Celery's clients write it."""
    number = str(uuid.uuid4())
    properties = {
        "correlation_id": number,
        "delivery_mode": 2,
        "delivery_info": {"exchange": "", "routing_key": QUEUE},
        "priority": 0,
        "body_encoding": "base64",
        "delivery_tag": str(uuid.uuid4()),
    }
    made = {
        "body": base64.b64encode(body or json.dumps([args, {}, {}]).encode()).decode(),
        "content-encoding": "utf-8" if not body else "binary",
        "content-type": kind,
        "headers": {"lang": "py", "task": task, "id": number, "root_id": number, "argsrepr": ""},
        "properties": properties,
    }
    return json.dumps(made).encode()


def is_carried_out(target: Target, title: str) -> bool:
    """Return whether a change of a row reaches the log, by the outbox, Redis and the worker."""
    product = Product.objects.create(name=title, price="1", stock=1)
    found = AuditLog.objects.filter(model_label="content.product", object_id=str(product.pk))
    try:
        wait_until(found.exists, PATIENCE, "the change in the log")
    except TimeoutError:
        return False
    return found.count() == 1


@attack
def without_the_password(target: Target, tries: Tries) -> None:
    """Ask Redis for anything without its password, or with a common one."""
    for password in (None, "", "redis", "password", "foobared", "default"):
        with connect(target, "", password or "") as redis:
            tries.hold(is_refused(redis, "PING"), f"The password {password!r} was taken.")


@attack
def as_flower(target: Target, tries: Tries) -> None:
    """Send tasks, read the cache or write files with what Flower knows."""
    password = (target.config.var_dir / "flower_redis_password").read_text().strip()
    with connect(target, "flower", password) as redis:
        tries.hold(not is_refused(redis, "PING"), "Flower's own login is refused.")
        for command in OF_OTHERS:
            tries.hold(is_refused(redis, *command.split()), f"Flower may {command}.")


@attack
def as_the_site(target: Target, tries: Tries) -> None:
    """Have Redis write files or load code with what the site knows."""
    with Redis.from_url(target.config.broker_url, retry=ONCE) as redis:
        for command in OF_NOBODY:
            tries.hold(is_refused(redis, *command.split()), f"The site may {command}.")


def connect(target: Target, user: str, password: str) -> Redis:
    """Return a client that logs in so. Nothing is sent before it is used."""
    port = target.config.redis_port
    return Redis(port=port, username=user or None, password=password or None, retry=ONCE)


def is_refused(redis: Redis, *command: str) -> bool:
    """Return whether the server says no."""
    try:
        redis.execute_command(*command)
    except RedisError:
        return True
    return False


@attack
def forged_messages(target: Target, tries: Tries) -> None:
    """Send the worker pickles, unknown tasks, odd wake-ups, and bytes that are no message."""
    run, worker = target.config.var_dir / "exploited", target.stack.pid("worker")
    pickled = pickle.dumps(((Exploit(run),), {}, {}))
    drain = "aftercommit.drain"
    forged = [
        message(drain, [], pickled, "application/x-python-serialize"),
        *(b"x", b"{}", b"[]", b"null", b"\xff\x00", b"[" * 10_000, b"x" * 5_000_000),
        message("os.system", ["touch x"]),
        message("builtins.eval", ["1"]),
        *(message(drain, args) for args in ([], ["x", "y"], [drain, "default"], [None, None])),
        *(message(drain, args) for args in ([["x"], {}], ["x" * 100_000, "default"], ["\\0", ""])),
    ]
    with Redis.from_url(target.config.broker_url) as redis:
        for each in forged:
            redis.lpush(QUEUE, each)
            tries.hold(is_quick(target), f"After {each[:200]!r} calls were not carried out.")
    tries.hold(is_carried_out(target, "After the forged messages"), "No call is carried out.")
    tries.hold(not run.exists(), "The worker ran what came as a pickle.")
    tries.hold(psutil.pid_exists(worker), "A message ended the worker.")


def is_quick(target: Target) -> bool:
    """Return whether the calls that are due are carried out."""
    try:
        target.settle()
    except TimeoutError:
        return False
    return True


@attack
def forged_turns(target: Target, tries: Tries) -> None:
    """Write into Redis that a wake-up is under way, so that none is sent."""
    tasks = {*OutboxCall.objects.values_list("task", flat=True)} | {"audit.tasks.write_audit_logs"}
    begun = time.time_ns()
    with Redis.from_url(target.config.broker_url) as redis:
        for value in (str(begun), str(2**62), "-1", "x", "", pickle.dumps(Exploit)):
            for key in redis.keys("*outbox:*"):
                redis.set(key, value)
            for task in tasks:
                for what in ("turn", "flag", "unanswered"):
                    redis.set(cache.make_key(f"outbox:{what}:default:{task}"), value)
            held = is_carried_out(target, f"Held by {value!r}"[:90])
            tries.hold(held, f"With {value!r} in Redis a call waits for more than {PATIENCE} s.")


@attack
def emptied(target: Target, tries: Tries) -> None:
    """Empty Redis while calls are due."""
    with Redis.from_url(target.config.broker_url) as redis:
        for number in range(3):
            product = Product.objects.create(name=f"Emptied {number}", price="1", stock=1)
            redis.flushall()
            found = AuditLog.objects.filter(
                model_label="content.product", object_id=str(product.pk)
            )
            wait_until(found.exists, PATIENCE, "the change in the log")
            tries.hold(found.count() == 1, f"{found.count()} entries of one change.")
