"""Tasks that the site does not have, for what its own tasks are too short and too modest.

This file is in the containers of the workers and of beat, whose command lines name its app.
"""

import os
import socket
import time
from pathlib import Path
from typing import Any

from django.apps import apps
from django.db.models import F

from celery_app import app

FOLDER = Path(os.environ.get("VAR_DIR", "var"))
LOG, GO = FOLDER / "trial.log", FOLDER / "trial.go"
MEGABYTE = 1 << 20

LONG = 180
"""Seconds. A database that noticed nothing would let the call's rows go only after them."""


def note(what: str) -> None:
    """Write a line with this host's name, which stays whatever becomes of a transaction."""
    with LOG.open("a") as log:
        log.write(f"{what} {socket.gethostname()}\n")


def wait(seconds: float) -> None:
    """Wait for so long, or until a person says go."""
    over = time.monotonic() + seconds
    while time.monotonic() < over and not GO.exists():
        time.sleep(0.1)


@app.task(time_limit=LONG)
def hold(name: str, seconds: float) -> None:
    """Have an effect in the database, and take that long."""
    note(f"hold {name}")
    apps.get_model("content", "Product").objects.filter(name=name).update(stock=F("stock") + 1)
    wait(seconds)


@app.task(atomic=False, time_limit=LONG)
def send(name: str, seconds: float) -> None:
    """Have an effect elsewhere, which takes that long."""
    note(f"send {name}")
    wait(seconds)
    note(f"sent {name}")


@app.task
def eat(name: str, seconds: float) -> None:
    """Take all the memory that there is, as fast as it can."""
    note(f"eat {name}")
    eaten = []
    while True:
        eaten.append(b"x" * MEGABYTE)


@app.task(ignore_result=True)
def tick() -> None:
    """Note that a periodic task ran."""
    note("run tick")


@app.on_after_finalize.connect
def plan(sender: Any, **ignored: Any) -> None:
    """Have beat send a task every two seconds."""
    sender.add_periodic_task(2, tick.s(), name="tick", expires=60)
