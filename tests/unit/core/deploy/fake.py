"""An engine of a few services, which understands the commands that a deploy gives."""

import json
from collections.abc import Sequence
from itertools import count
from typing import Any

from core.deploy.errors import DeployError

OLD, NEW = "sha256:old", "sha256:new"


class FakeEngine:
    """Containers by their names. ``broken`` names the services whose new version can't start."""

    def __init__(
        self, broken: Sequence[str] = (), image: str = "aftercommit", policy: str = "never"
    ) -> None:
        self.broken, self.image, self.policy = {*broken}, image, policy
        self.containers: dict[str, dict[str, Any]] = {}
        self.images = {image: OLD}
        self.commands: list[str] = []
        self.refused = ""
        """The word in a command that ends with an error."""

        self.numbers = count(1)

    def add(self, service: str, number: int = 1, image: str = OLD, running: bool = True) -> None:
        """Add containers of a service."""
        for _ in range(number):
            name = f"site-{service}-{next(self.numbers)}"
            self.containers[name] = {"service": service, "image": image, "running": running}

    def running(self, service: str) -> list[str]:
        """Return the images of the containers of the service that run."""
        return sorted(
            each["image"]
            for each in self.containers.values()
            if each["running"] and each["service"] == service
        )

    def __call__(self, command: Sequence[str]) -> str:
        """Obey."""
        words = [*command]
        self.commands.append(" ".join(words))
        if self.refused and self.refused in self.commands[-1]:
            raise DeployError(f"{self.refused} was refused")
        return str(getattr(self, f"do_{words[1].replace('-', '_')}")(*words[2:]) or "")

    # --- Compose ------------------------------------------------------------------------------
    def do_config(self, *words: str) -> str:
        web = {"image": self.image, "pull_policy": self.policy, "build": {}}
        return json.dumps({"name": "site", "services": {"web": web}})

    def do_build(self, *words: str) -> None:
        self.images[self.image] = NEW

    do_pull = do_build

    def do_run(self, *words: str) -> str:
        return "Applying content.0003… OK"

    def do_up(self, *words: str) -> None:
        if "--no-start" not in words:
            for service in ("web", "worker", "beat", "flower"):
                self.add(service, image=self.images[self.image])
            return
        service, _, wanted = words[words.index("--scale") + 1].partition("=")
        there = sum(each["service"] == service for each in self.containers.values())
        self.add(service, int(wanted) - there, self.images[self.image], running=False)

    # --- Docker -------------------------------------------------------------------------------
    def do_ps(self, *words: str) -> str:
        service = next(each.rpartition("=")[2] for each in words if ".service=" in each)
        return " ".join(n for n, each in self.containers.items() if each["service"] == service)

    def do_inspect(self, *names: str) -> str:
        return json.dumps([self.described(name) for name in names])

    def described(self, name: str) -> dict[str, Any]:
        """Return what Docker says of a container."""
        each = self.containers[name]
        crashes = each["running"] and each["image"] == NEW and each["service"] in self.broken
        state = {"Running": each["running"], "Restarting": crashes}
        restarts = 5 if crashes else 0
        number = name.rpartition("-")[2]
        return {
            "Name": f"/{name}",
            "Image": each["image"],
            "RestartCount": restarts,
            "State": state,
            "Config": {"Labels": {"com.docker.compose.container-number": number}},
        }

    def do_image(self, *words: str) -> str:
        if words[-1] not in self.images:
            raise DeployError("No such image")
        return self.images[words[-1]]

    def do_tag(self, image: str, name: str) -> None:
        self.images[name] = image

    def do_start(self, *names: str) -> None:
        for name in names:
            self.containers[name]["running"] = True

    def do_stop(self, *names: str) -> None:
        for name in names:
            self.containers[name]["running"] = False

    def do_rm(self, *words: str) -> None:
        for name in words[2:]:
            del self.containers[name]

    def do__c(self, *words: str) -> str:
        return "its last line"
