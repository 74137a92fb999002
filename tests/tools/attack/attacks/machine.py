"""Look at what another user of the machine can see, or who reaches the servers behind the site."""

from collections.abc import Iterator
from typing import Any

import httpx
import psutil

from celery_app import app
from tests.tools.attack.registry import attack
from tests.tools.attack.target import Target
from tests.tools.attack.tries import Tries

LOOPBACK = ("127.0.0.1", "::1")


def processes(target: Target) -> Iterator[psutil.Process]:
    """Yield the processes of the copy: those that the stack started, and theirs."""
    me = psutil.Process()
    yield me
    yield from me.children(recursive=True)


@attack
def files(target: Target, tries: Tries) -> None:
    """Read or change the files of the data folder."""
    folder = target.config.var_dir
    for path in (folder, *folder.rglob("*")):
        mode = path.lstat().st_mode
        tries.hold(not mode & 0o077, f"{path.relative_to(folder.parent)} is {mode:o}.")


@attack
def command_lines(target: Target, tries: Tries) -> None:
    """Read the command lines of all processes."""
    for process in processes(target):
        line = " ".join(process.cmdline())
        for name, secret in target.secrets().items():
            tries.hold(secret not in line, f"{name} is on the command line of {line[:60]}")


@attack
def ports(target: Target, tries: Tries) -> None:
    """Reach a port of the copy from another machine."""
    for process in processes(target):
        for connection in process.net_connections("inet"):
            if connection.status == psutil.CONN_LISTEN:
                address = connection.laddr.ip
                tries.hold(address in LOOPBACK, f"{process.name()} listens on {address}.")


@attack
def flower(target: Target, tries: Tries) -> None:
    """Open Flower without its login, and with it look for passwords."""
    pages = ["/", "/workers", "/tasks", "/broker", "/api/workers", "/api/tasks"]
    pages += [f"/worker/{target.config.worker_name}", "/api/workers?refresh=1"]
    name, _, password = target.config.flower_login.partition(":")
    with httpx.Client(base_url=target.config.flower_url, timeout=30, trust_env=False) as client:
        for page in pages:
            status = client.get(page).status_code
            tries.hold(status == 401, f"{page} without the login: {status}")
            text = client.get(page, auth=(name, password)).text
            shown = [key for key, secret in target.secrets().items() if secret in text]
            tries.hold(not shown, f"{page} shows {shown}.")
        status = client.post(f"/api/worker/shutdown/{target.config.worker_name}").status_code
        tries.hold(status in (401, 403), f"Anybody ends the worker: {status}")


@attack
def inspection(target: Target, tries: Tries) -> None:
    """Ask the worker for its settings, as every program that reaches the broker can."""
    inspect: Any = app.control.inspect([target.config.worker_name], timeout=10)
    for what in ("conf", "report", "stats", "active", "registered"):
        answers = getattr(inspect, what)()
        tries.hold(bool(answers), f"inspect {what} was not answered.")
        shown = [name for name, secret in target.secrets().items() if secret in repr(answers)]
        tries.hold(not shown, f"inspect {what} shows {shown}.")


@attack
def what_is_written(target: Target, tries: Tries) -> None:
    """Find a password in what the programs write, or a character that changes a terminal."""
    for name, lines in target.console.written.items():
        text = "\n".join(lines)
        for key, secret in target.secrets().items():
            tries.hold(secret not in text, f"{name} wrote {key}.")
        odd = sorted({each for each in text if not each.isprintable() and each != "\n"})
        tries.hold(not odd, f"{name} wrote {odd}.")


@attack
def errors(target: Target, tries: Tries) -> None:
    """Make a program of the site log an error by one of the attacks before this one."""
    for name, lines in target.console.written.items():
        for number, line in enumerate(lines):
            tries.hold(not is_error(line), f"{name}: {' / '.join(lines[number : number + 40])}")


def is_error(line: str) -> bool:
    """Return whether a program logs what nobody expected. Django logs each refusal as security."""
    error = line.startswith(("ERROR", "CRITICAL")) or "Internal Server Error" in line
    return error and "django.security" not in line
