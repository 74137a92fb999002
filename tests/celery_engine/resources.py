"""What an engine has besides containers: names for images and networks, folders for volumes."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from docker.errors import NotFound


class Resource(Protocol):
    """What a collection holds."""

    name: str
    id: str


Item = TypeVar("Item", bound=Resource)


class Collection(Generic[Item]):
    """Resources by their name or id, as ``docker_client.volumes`` and its like hold them."""

    def __init__(self) -> None:
        self._items: list[Item] = []

    def get(self, name_or_id: str) -> Item:
        """The resource of this name or id; ``docker.errors.NotFound`` when there is none."""
        for item in self._items:
            if name_or_id in (item.name, item.id):
                return item
        raise NotFound(f"The process engine has no {name_or_id!r}.")

    def list(self, **_options: object) -> Sequence[Item]:
        """Every resource that was created and not removed."""
        return tuple(self._items)

    def add(self, item: Item) -> Item:
        """The item, now in the collection."""
        self._items.append(item)
        return item

    def discard(self, item: Item) -> None:
        """Take the item out of the collection."""
        self._items = [other for other in self._items if other is not item]


class Image:
    """A name."""

    def __init__(self, name: str) -> None:
        self.name = self.id = name


class Network:
    """A name with labels."""

    def __init__(
        self, name: str, labels: dict[str, str], collection: "Collection[Network]"
    ) -> None:
        self.name = self.id = name
        self.attrs = {"Name": name, "Labels": labels}
        self._collection = collection

    def remove(self) -> None:
        """Forget the network."""
        self._collection.discard(self)


class Volume:
    """A folder under a name."""

    def __init__(
        self, name: str, labels: dict[str, str], path: Path, collection: "Collection[Volume]"
    ) -> None:
        self.name = self.id = name
        self.attrs = {"Name": name, "Labels": labels}
        self.path = path
        self._collection = collection
        path.mkdir(parents=True)

    def remove(self, force: bool = False) -> None:
        """Delete the folder."""
        shutil.rmtree(self.path, ignore_errors=force)
        self._collection.discard(self)
