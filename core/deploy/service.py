"""The containers of one service: the new ones beside the old, or in their place."""

import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack

from core.deploy.engine import Container, Engine
from core.deploy.errors import DeployError
from core.deploy.log import Log

CRASHES = 2
"""How often a new container may end by itself before it is given up."""

LINES = 15
"""How many lines are shown of the log of a container that does not become healthy."""


class Service:
    """The containers of one service, before and after."""

    def __init__(self, engine: Engine, log: Log, name: str, within: float) -> None:
        self.engine, self.log, self.name, self.within = engine, log, name, within
        self.old = [each for each in engine.containers(name) if each.running]
        self.new: list[Container] = []

    def roll(self, undo: ExitStack) -> None:
        """Start the new containers beside the old ones. Raises DeployError if they are not healthy.

        The old ones still run. ``stop_old`` stops them.
        """
        self.create(undo)
        self.start(self.new)
        beside = f", beside {names(self.old)}" if self.old else ""
        self.log(f"{self.name}: {names(self.new)} healthy{beside}")

    def swap(self, undo: ExitStack) -> None:
        """Start the new container once the old one has stopped. There are never two that run."""
        undo.callback(self.start_old)
        self.create(undo)
        self.stop(self.old)
        self.start(self.new)
        self.log(f"{self.name}: {names(self.new)} healthy")

    def create(self, undo: ExitStack) -> None:
        """Have Compose make new containers. They don't run yet."""
        left = [each for each in self.engine.containers(self.name) if not each.running]
        self.remove(left)  # of a deploy that was killed
        undo.callback(self.take_away)
        scale = f"{self.name}={len(self.old) + self.replicas()}"
        alone = ("--no-start", "--no-deps", "--no-recreate", "--no-build", "--pull", "never")
        self.engine.compose("up", *alone, "--scale", scale, self.name)
        self.new = self.others()

    def replicas(self) -> int:
        """Return how many there are to be: as many as run of the image that most of them have.

        A deploy that was killed may have left new ones beside the old.
        """
        return max(Counter(each.image for each in self.old).values(), default=1)

    def others(self) -> list[Container]:
        """Return the containers that are not the old ones."""
        before = {each.name for each in self.old}
        return [each for each in self.engine.containers(self.name) if each.name not in before]

    def start(self, containers: Sequence[Container]) -> None:
        """Start the containers, and wait until they are healthy. Raises DeployError."""
        if containers:
            self.engine.docker("start", *(each.name for each in containers))
            self.wait_for(containers)

    def wait_for(self, containers: Sequence[Container]) -> None:
        """Wait until all are healthy. Raises DeployError, with the log of one that is not."""
        deadline = time.monotonic() + self.within
        while True:
            found = self.engine.look([each.name for each in containers])
            late = [each for each in found if not each.healthy]
            if not late:
                return
            crashed = [each for each in late if each.restarts >= CRASHES]
            if crashed or time.monotonic() >= deadline:
                raise self.failure((crashed or late)[0], crashed=bool(crashed))
            time.sleep(0.5)

    def failure(self, container: Container, *, crashed: bool) -> DeployError:
        """Return the error about a container, with the last lines of its log."""
        how = "ends again and again" if crashed else f"is not healthy after {self.within:g} s"
        said = self.engine.logs(container.name, LINES)
        return DeployError(f"{container.name} {how}. Its last lines:\n{said}")

    def stop(self, containers: Sequence[Container]) -> None:
        """Stop the containers by SIGTERM. Each has the time that Compose gives it."""
        if containers:
            self.engine.docker("stop", *(each.name for each in containers))
            self.log(f"{self.name}: {names(containers)} stopped")

    def stop_old(self, undo: ExitStack) -> None:
        """Stop the old containers. They stay, in case that they are needed once more."""
        undo.callback(self.start_old)
        self.stop(self.old)

    def start_old(self) -> None:
        """Start the old containers again. Raises DeployError if they are not healthy any more."""
        self.start(self.old)
        self.log(f"{self.name}: {names(self.old)} again")

    def take_away(self) -> None:
        """Stop and remove the new containers."""
        new = self.others()
        self.stop([each for each in new if each.running])
        self.remove(new)

    def remove(self, containers: Sequence[Container]) -> None:
        """Remove the containers, with the volumes that are theirs alone."""
        if containers:
            self.engine.docker("rm", "--force", "--volumes", *(each.name for each in containers))


def names(containers: Sequence[Container]) -> str:
    """Return the names, for a person."""
    return ", ".join(each.name for each in containers) or "nothing"
