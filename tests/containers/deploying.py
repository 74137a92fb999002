"""``make deploy``, between two versions of the image, under load."""

import os
import re
import subprocess
import sys
from collections import Counter
from datetime import datetime
from pathlib import Path

from core.stack.waiting import wait_until
from tests.containers import truth
from tests.containers.compose import IMAGE, NAME, PROJECT, Compose, program
from tests.containers.errors import Broken
from tests.containers.traffic import Traffic
from tests.containers.versions import BROKEN, SECOND

ROLLED = ("web", "worker", "beat", "flower")
TICK = re.compile(r"(\d[\d-]+T[\d:.]+Z) .*content\.tasks\.tick\[([\w-]+)\] received")
TICKS = 6
"""How often the periodic task has to have come before its rate is known."""

MOST = 1.4
"""How often it may come in a second. Two beats would send two."""


class Deployed:
    """What a deploy wrote, and how it ended."""

    def __init__(self, compose: Compose, image: str) -> None:
        compose.docker("tag", image, IMAGE)
        done = subprocess.run(
            [sys.executable, "-m", "core.deploy"],
            cwd=PROJECT,
            env=environment(compose),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
            check=False,
        )
        self.log, self.status = done.stdout, done.returncode


def environment(compose: Compose) -> dict[str, str]:
    """Return the variables of a person who deploys this project."""
    found = compose.docker.environment
    path = os.pathsep.join([found["PATH"], str(Path(program()).parent)])
    ours = {"COMPOSE_FILE": str(compose.file), "COMPOSE_PROJECT_NAME": NAME}
    return {**found, **ours, "PATH": path}


def images(compose: Compose) -> dict[str, Counter[str]]:
    """Return how many containers of each program run with which image."""
    return {
        service: Counter(
            each.image for each in compose.containers(service) if each.state["Running"]
        )
        for service in ROLLED
    }


def check_deploy(compose: Compose, traffic: Traffic) -> str:
    """Bring in the second version under load. Return the log. Raises Broken."""
    before = {service: sum(found.values()) for service, found in images(compose).items()}
    traffic.wait_for(3)
    deployed = Deployed(compose, SECOND)
    traffic.wait_for(3)
    second = compose.docker.image(SECOND, "{{.Id}}")
    if deployed.status or images(compose) != {
        service: Counter({second: number}) for service, number in before.items()
    }:
        raise Broken(f"The deploy ended with {deployed.status}:\n{deployed.log}")
    return deployed.log


def check_broken_deploy(compose: Compose, traffic: Traffic) -> str:
    """Try to bring in a version that can't start. Return the log. Raises Broken."""
    before = images(compose)
    traffic.wait_for(2)
    deployed = Deployed(compose, BROKEN)
    traffic.wait_for(2)
    if deployed.status != 1 or "This version is broken." not in deployed.log:
        raise Broken(f"The deploy ended with {deployed.status}:\n{deployed.log}")
    if images(compose) != before:
        raise Broken(f"There were {before}, and now there are {images(compose)}.")
    return deployed.log


def unfinished(compose: Compose) -> dict[str, int]:
    """Return how many calls need a person."""
    calls = truth.find(compose).database["calls"]
    return {status: calls[status] for status in ("dead", "uncertain") if calls.get(status)}


def check_nothing_failed(compose: Compose, traffic: Traffic, before: dict[str, int]) -> str:
    """Return what was done meanwhile. Raises Broken if anything failed, is lost or doubled.

    ``before`` says how many calls needed a person before that.
    """
    if traffic.failures:
        raise Broken(f"{traffic.refused} requests failed: {'; '.join(traffic.failures[:5])}")
    truth.check(compose, traffic.published, traffic.commented)
    if (after := unfinished(compose)) != before:
        raise Broken(f"Calls that need a person: {before} before, {after} after.")
    return f"{traffic.requests}, 0 dead calls"


def check_periodic(compose: Compose) -> str:
    """Return how often a task came that is due each second. Raises Broken if it comes twice."""
    wait_until(lambda: len(ticks(compose)) > TICKS, 60, "the periodic task", every=1)
    times, numbers = zip(*ticks(compose), strict=True)
    seconds = max(times) - min(times)
    rate = (len(times) - 1) / seconds.total_seconds()
    if len({*numbers}) != len(numbers) or rate > MOST:
        raise Broken(f"The periodic task came {len(times)} times in {seconds}: {rate:.1f} a second")
    return f"{len(times)} times in {seconds.total_seconds():.0f} s"


def ticks(compose: Compose) -> list[tuple[datetime, str]]:
    """Return when the periodic task came to a worker, and the numbers of its messages."""
    lines = compose("logs", "--no-color", "--timestamps", "worker")
    return [(datetime.fromisoformat(when), number) for when, number in TICK.findall(lines)]
