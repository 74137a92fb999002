"""All that is tried with the containers, in order."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from core.stack.waiting import wait_until
from tests.containers import (
    backup,
    deploying,
    diagnosis,
    faults,
    figures,
    isolation,
    outage_steps,
    proxy,
    stops,
    story,
    truth,
)
from tests.containers.base_images import check_base_images, make_base_images
from tests.containers.compose import IMAGE, PROJECT, Compose
from tests.containers.docker import Docker
from tests.containers.errors import Broken
from tests.containers.image import check_image
from tests.containers.people import Person
from tests.containers.traffic import Traffic
from tests.containers.versions import FIRST, build_broken, build_second
from tests.tools.demo.progress import Screen

WEB_SERVERS, WORKERS = 2, 3


class Run:
    """The steps. Each prints a line with its time."""

    def __init__(self, docker: Docker, compose: Compose, screen: Screen) -> None:
        self.docker = docker
        self.compose = compose
        self.screen = screen

    def perform(self) -> None:
        """Do everything. Raises Broken at the first thing that does not hold."""
        have = make_base_images if self.docker.stands_in else check_base_images
        self.step("The base images", lambda: have(self.docker))
        self.step("The image builds", self.build)
        self.step("The image is small and tidy", lambda: check_image(self.docker))
        self.compose.prepare()
        with self.running():
            self.step("All services are healthy", self.start)
            with self.people() as (author, reader):
                self.step("The story is told", lambda: story.tell(self.compose, author, reader))
                self.step("Flower shows the worker", lambda: story.check_flower(self.compose))
                self.step("Each mail arrived once", lambda: story.check_mails(self.compose))
                self.step("Few rights, few ways", lambda: isolation.check(self.compose))
                self.step("The proxy tells who asks", lambda: proxy.check_client(self.compose))
                self.try_faults(author)
                self.step("A backup is restored", lambda: backup.check(self.compose))
                self.step("Long calls, and a stop", lambda: stops.check_long_calls(self.compose))
                self.step("A new worker is not missed", self.renew_worker)
                self.step("Two web servers, three workers", self.scale)
                self.try_deploys(author, reader)
            self.show_memory()
            self.step("All stop by SIGTERM", lambda: figures.stop(self.compose))

    def try_faults(self, author: Person) -> None:
        """Kill each of the four under load, and freeze the database."""
        with Traffic(author) as traffic:
            for service in faults.KILLED:
                self.step(f"kill -9 {service}, under load", partial(self.kill, service, traffic))
            for title, do in outage_steps.under_load(self.compose, traffic):
                self.step(title, do)
        self.step("Nothing lost or doubled", lambda: self.judge(traffic))
        self.step("/healthz, the database frozen", self.freeze)

    def try_deploys(self, author: Person, reader: Person) -> None:
        """Kill one web server of two, and deploy a version that is broken and one that is not."""
        with self.traffic(author, reader) as traffic:
            self.step("kill -9 of one web server", lambda: self.kill_one(traffic))
        self.step("Two other versions are built", self.build_versions)
        before = deploying.unfinished(self.compose)
        with self.traffic(author, reader) as traffic:
            self.deploy("A broken version goes, under load", deploying.check_broken_deploy, traffic)
            self.deploy("A new version comes, under load", deploying.check_deploy, traffic)
        self.step(
            "No request failed, nothing lost or doubled",
            lambda: deploying.check_nothing_failed(self.compose, traffic, before),
        )
        self.step("One beat, three workers", self.count)
        self.docker("tag", FIRST, IMAGE)

    def traffic(self, author: Person, reader: Person) -> Traffic:
        return Traffic(author, reader, f"{self.compose.url('WEB_PORT')}/login/")

    def kill_one(self, traffic: Traffic) -> str:
        seconds = faults.kill_under_load(self.compose, "web", traffic)
        if traffic.refused > traffic.people:
            raise Broken(f"More failed than was under way: {traffic.failures[:5]}")
        return f"healthy again after {seconds:.0f} s, {traffic.requests}"

    def build_versions(self) -> None:
        self.docker("tag", IMAGE, FIRST)
        build_second(self.docker)
        build_broken(self.docker)

    def count(self) -> str:
        wait_until(lambda: not story.not_ready(self.compose, WORKERS), 60, "the workers", every=0.5)
        return deploying.check_periodic(self.compose)

    def deploy(
        self, title: str, check: Callable[[Compose, Traffic], str], traffic: Traffic
    ) -> None:
        logs: list[str] = []
        self.step(title, lambda: logs.append(check(self.compose, traffic)))
        for line in logs[0].splitlines():
            self.screen.line(f"    {line}")

    def scale(self) -> None:
        scale = ("--scale", f"web={WEB_SERVERS}", "--scale", f"worker={WORKERS}")
        self.compose("up", "--detach", "--no-build", "--no-recreate", "--wait", *scale)
        proxy.check_spread(self.compose)
        wait_until(
            lambda: not story.not_ready(self.compose, WORKERS),
            60,
            lambda: story.not_ready(self.compose, WORKERS),
            every=0.5,
        )

    def kill(self, service: str, traffic: Traffic) -> str:
        seconds = faults.kill_under_load(self.compose, service, traffic)
        return f"healthy again after {seconds:.0f} s"

    def judge(self, traffic: Traffic) -> str:
        found = truth.check(self.compose, traffic.published)
        calls = {name: number for name, number in found.database["calls"].items() if number}
        return (
            f"{len(traffic.published)} articles, {traffic.refused} refusals, "
            f"{found.not_known} mails not known, calls left: {calls or 'none'}"
        )

    def freeze(self) -> str:
        return f"at most {faults.check_frozen_database(self.compose) * 1000:.0f} ms"

    def renew_worker(self) -> None:
        self.compose(
            "up", "--detach", "--no-build", "--no-deps", "--force-recreate", "--wait", "worker"
        )
        story.check_ready(self.compose)

    def build(self) -> str:
        self.docker("build", "--network", "host", "--tag", IMAGE, str(PROJECT), seconds=900)
        return f"{figures.size(self.docker)} MB"

    def start(self) -> None:
        self.compose("up", "--detach", "--no-build", "--wait", "--wait-timeout", "240")

    def show_memory(self) -> None:
        for line in figures.memory(self.compose):
            self.screen.line(line)

    def step(self, title: str, do: Callable[[], object]) -> None:
        """Do it, and print what came of it."""
        self.screen.working(title)
        began = time.monotonic()
        try:
            result = do()
        except BaseException:
            self.screen.done(title, f"{time.monotonic() - began:.0f} s", good=False)
            raise
        note = f", {result}" if isinstance(result, str | int | dict) else ""
        self.screen.done(title, f"{time.monotonic() - began:.0f} s{note}")

    @contextmanager
    def people(self) -> Iterator[tuple[Person, Person]]:
        """Yield an author and a reader, neither of whom has an account yet."""
        site = self.compose.url("WEB_PORT")
        with Person(story.AUTHOR, site) as author, Person(story.READER, site) as reader:
            yield author, reader

    @contextmanager
    def running(self) -> Iterator[None]:
        """Remove all that was started, with its data, after the block. Say why if it fails."""
        self.compose("down", "--volumes", "--remove-orphans")
        try:
            yield
        except Exception:
            for line in diagnosis.tell(self.compose):
                self.screen.line(line)
            raise
        finally:
            self.compose("down", "--volumes", "--remove-orphans")
