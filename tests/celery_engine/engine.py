"""A Docker client whose containers are processes of this machine."""

import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from docker.errors import DockerException

from tests.celery_engine.container import ProcessContainer
from tests.celery_engine.resources import Collection, Image, Network, Volume
from tests.celery_engine.spec import Spec

Labels = Mapping[str, str]


class ProcessEngine:
    """The part of ``docker.DockerClient`` that pytest-celery and pytest-docker-tools use.

    What isn't here fails by its name, so that a test which needs more is told so.
    """

    def __init__(self, root: Path) -> None:
        self.images = Images()
        self.networks = Networks()
        self.volumes = Volumes(root / "volumes")
        self.containers = Containers(root / "containers", self.volumes)

    def ping(self) -> bool:
        """True: this machine answers."""
        return True

    def close(self) -> None:
        """End every container that a test left behind."""
        for container in self.containers.list(all=True):
            container.remove(force=True)


class Images(Collection[Image]):
    """Images are names: what would be in them is installed where the tests run."""

    def build(self, *, tag: str = "", **_options: object) -> tuple[Image, list[Any]]:
        """An image of this tag, and the empty log of its making."""
        return self.pull(tag or unique_name()), []

    def pull(self, repository: str, **_options: object) -> Image:
        """An image of this name."""
        return self.add(Image(repository))


class Networks(Collection[Network]):
    """Networks are names: every process is on the loopback interface."""

    def create(self, name: str, labels: Labels | None = None) -> Network:
        """A network of this name."""
        return self.add(Network(name, dict(labels or {}), self))


class Volumes(Collection[Volume]):
    """Volumes are folders."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self._root = root

    def create(self, name: str, labels: Labels | None = None) -> Volume:
        """An empty volume of this name."""
        return self.add(Volume(name, dict(labels or {}), self._root / name, self))


class Containers(Collection[ProcessContainer]):
    """Containers are processes; an argument of Docker's that they can't honour is refused."""

    def __init__(self, root: Path, volumes: Volumes) -> None:
        super().__init__()
        self._root = root
        self._volumes = volumes

    def run(
        self, image: str, command: str | Sequence[str] = (), detach: bool = False, **options: Any
    ) -> ProcessContainer:
        """A started container."""
        if not detach:
            raise DockerException("The process engine runs containers with detach=True only.")
        container = self.create(image, command, **options)
        container.start()
        return container

    def create(
        self,
        image: str,
        command: str | Sequence[str] = (),
        *,
        volumes: Mapping[str, Mapping[str, str]] | None = None,
        **options: Any,
    ) -> ProcessContainer:
        """A container that was not started; ``options`` are the fields of ``Spec``."""
        mounts = {to["bind"]: self._volumes.get(name) for name, to in (volumes or {}).items()}
        given = {name: value for name, value in options.items() if value is not None}
        spec = Spec(image, command, **{"name": unique_name(), **given}, mounts=mounts)
        return self.add(ProcessContainer(spec, self._root, removed=self.discard))


def unique_name() -> str:
    """A name for what was given none."""
    return f"process-{uuid.uuid4().hex[:12]}"
