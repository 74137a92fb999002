"""The faults: what goes wrong in each part of the system, and how it is mended."""

import contextlib
import random
import signal
import threading
import time
from collections.abc import Sequence

import psycopg
from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from tests.tools.chaos import frozen, smtp
from tests.tools.chaos.fates import FATES, MODULE
from tests.tools.chaos.fault import (
    BROKER,
    DATABASE,
    MAIL,
    WEB,
    WORKER,
    WRITER,
    Fault,
    Heal,
    kill,
)
from tests.tools.chaos.system import System

DRAIN = "aftercommit.drain"  # not imported: this process has no settings, which wake-ups need
TASKS = (
    *("audit.tasks.write_audit_logs", "content.tasks.count_articles", "content.tasks.count_views"),
    *("notifications.tasks.notify_followers", "notifications.tasks.notify_comment_author"),
    "notifications.tasks.send_delivery",
    *(f"{MODULE}.{task}" for task in sorted(FATES)),
)


# --- Processes ------------------------------------------------------------------------------
def kill_web_process(system: System, chance: random.Random) -> None:
    """One of the server's processes; the server starts another."""
    kill(chance.choice(sorted(system.web.children()) or [0]))


def kill_writer(system: System, chance: random.Random) -> Heal:
    """A process that is in some transaction; another takes its place."""
    number = chance.randrange(len(system.writers))
    if system.writers[number].running:
        system.writers[number].kill()
    return lambda: system.start_writer(number)


def kill_pool_process(system: System, chance: random.Random) -> None:
    """One of a worker's processes; the worker starts another."""
    worker = chance.choice(system.workers)
    kill(chance.choice(sorted(worker.children()) or [0]))


STOPS_WITHIN = 30
"""Seconds that a worker has to finish what runs."""


def kill_worker(system: System, chance: random.Random) -> Heal:
    """A worker with all its processes."""
    worker = chance.choice(system.workers)
    if worker.running:
        worker.signal_group(signal.SIGKILL)
        worker.wait(10)
    return worker.start


def terminate_worker(system: System, chance: random.Random) -> Heal:
    """A worker is asked to stop; one that doesn't within half a minute is killed."""
    worker = chance.choice(system.workers)
    deadline = time.monotonic() + STOPS_WITHIN
    if worker.running:
        worker.signal(signal.SIGTERM)

    def start_again() -> bool:
        if worker.running and time.monotonic() < deadline:
            return False
        if worker.running:
            system.notes.append(
                f"{worker.log.stem} did not stop within {STOPS_WITHIN} s of SIGTERM"
            )
            worker.kill()
        worker.start()
        return True

    return start_again


def freeze_worker(system: System, chance: random.Random) -> Heal:
    """A worker that stands still, with what it has locked and leased."""
    worker = chance.choice(system.workers)
    worker.pause()
    return worker.resume


# --- Broker ---------------------------------------------------------------------------------
def stop_broker(system: System, chance: random.Random) -> Heal:
    """Refuses connections; comes back empty."""
    system.broker.stop()
    return system.broker.start


def kill_broker(system: System, chance: random.Random) -> Heal:
    """Dies; comes back empty."""
    system.broker.kill()
    return system.broker.start


def freeze_broker(system: System, chance: random.Random) -> Heal:
    """Accepts connections and never answers."""
    system.broker.pause()
    return system.broker.resume


def slow_broker(system: System, chance: random.Random) -> Heal:
    """Answers after up to a fifth of a second."""
    over = threading.Event()

    def slow_down() -> None:
        while not over.wait(0.02):
            system.broker.pause()
            over.wait(0.2)
            system.broker.resume()

    thread = threading.Thread(target=slow_down, daemon=True)
    thread.start()

    def heal() -> None:
        over.set()
        thread.join()

    return heal


def flush_broker(system: System, chance: random.Random) -> None:
    """Loses all messages and flags."""
    system.broker.flush()


def fill_broker(system: System, chance: random.Random) -> Heal:
    """Out of memory: it takes no more messages."""
    return _configure(
        system, ["CONFIG", "SET", "maxmemory", "1"], ["CONFIG", "SET", "maxmemory", "0"]
    )


def make_broker_read_only(system: System, chance: random.Random) -> Heal:
    """A replica of a server that is gone, as after a failover."""
    return _configure(system, ["REPLICAOF", "127.0.0.1", "1"], ["REPLICAOF", "NO", "ONE"])


def _configure(system: System, command: Sequence[str], undo: Sequence[str]) -> Heal:
    def run(words: Sequence[str]) -> None:
        with system.broker.client() as client:
            client.execute_command(*words)

    run(command)
    return lambda: run(undo)


def send_duplicates(system: System, chance: random.Random) -> None:
    """Ten more wake-ups of each task."""
    with (
        Celery(broker=system.broker.url, set_as_current=False) as app,
        contextlib.suppress(OperationalError, RedisError),
    ):
        for name in TASKS * 10:
            app.send_task(DRAIN, [name, "default"], retry=False, ignore_result=True)


# --- Database -------------------------------------------------------------------------------
def end_connections(system: System, chance: random.Random) -> None:
    """Some of the database's connections are ended by its administrator."""
    assert system.postgres is not None
    query = """
        SELECT pid FROM pg_stat_activity
        WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY pid
    """
    with (
        contextlib.suppress(psycopg.OperationalError),
        psycopg.connect(system.postgres.url, autocommit=True) as connection,
    ):
        pids = [pid for (pid,) in connection.execute(query)]
        for pid in chance.sample(pids, min(3, len(pids))):
            connection.execute("SELECT pg_terminate_backend(%s)", [pid])


def restart_database(system: System, chance: random.Random) -> Heal:
    """The database ends all connections and is away for a moment."""
    assert system.postgres is not None
    system.postgres.stop()
    return system.postgres.start


def crash_database(system: System, chance: random.Random) -> Heal:
    """A process of the server's dies, and the server ends all others and recovers."""
    assert system.postgres is not None
    query = "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND state IS NOT NULL"
    pids = sorted(pid for (pid,) in system.rows(query))
    kill(chance.choice(pids or [0]))
    return system.wait_for_database


# --- Mail -----------------------------------------------------------------------------------
def close_mail(system: System, chance: random.Random) -> Heal:
    """Refuses connections."""
    system.mail.close()
    return system.mail.open


def change_mood(system: System, chance: random.Random) -> Heal:
    """Answers 451, or hangs up somewhere in the conversation."""
    moods = [smtp.LATER, smtp.HANGS_UP, smtp.DROPS, smtp.FORGETS]
    system.mail.mood = chance.choice(moods)

    def cheer_up() -> None:
        system.mail.mood = smtp.TAKES

    return cheer_up


SHORT, LONG = (0.5, 2.0), (1.0, 5.0)
FAULTS = (
    Fault("web process killed", WEB, kill_web_process),
    Fault("writer killed", WRITER, kill_writer, SHORT),
    Fault("pool process killed", WORKER, kill_pool_process),
    Fault("pool process killed", WORKER, kill_pool_process),  # once more: it is up again at once
    Fault("worker killed", WORKER, kill_worker, SHORT),
    Fault("worker told to stop", WORKER, terminate_worker, SHORT),
    Fault("worker frozen", WORKER, freeze_worker, LONG),
    Fault("broker stopped", BROKER, stop_broker, LONG),
    Fault("broker killed", BROKER, kill_broker, LONG),
    Fault("broker silent", BROKER, freeze_broker, LONG),
    Fault("broker slow", BROKER, slow_broker, LONG),
    Fault("broker emptied", BROKER, flush_broker),
    Fault("broker full", BROKER, fill_broker, LONG),
    Fault("broker read-only", BROKER, make_broker_read_only, LONG),
    Fault("wake-ups ten times", BROKER, send_duplicates),
    Fault("connections ended", DATABASE, end_connections),
    Fault("database restarted", DATABASE, restart_database, SHORT),
    Fault("database crashed", DATABASE, crash_database, SHORT),
    Fault("mail server refuses", MAIL, close_mail, LONG),
    Fault("mail server moody", MAIL, change_mood, LONG),
    *frozen.FAULTS,
)
