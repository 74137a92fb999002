"""What the pages about deploying tell people to write: units of systemd, and manifests."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import yaml

from tests.integration.recipes.page import ROOT, Block, read_page

PAGES = ("deploy", "deploy-compose", "deploy-systemd", "deploy-kubernetes")
DROP_INS = {"aftercommit": ("site.conf", "hardening.conf"), "shop": ("hardening.conf",)}
"""The files that units share, by the first word of the units' names."""


def text_of(page: str) -> str:
    """Return the text of the page."""
    return (ROOT / "docs" / "how-to" / f"{page}.md").read_text()


def blocks(page: str, language: str) -> dict[str, str]:
    """Return the page's files in this language, by the paths in their first lines."""
    found: Sequence[Block] = read_page(f"how-to/{page}.md").blocks
    return {each.path: each.text for each in found if each.language == language and each.path}


class Unit(NamedTuple):
    """A unit, as systemd reads it. A key can have several values."""

    name: str
    values: dict[str, list[str]]

    def one(self, key: str) -> str:
        """Return the only value."""
        (value,) = self.values[key]
        return value

    @property
    def program(self) -> str:
        """Return what the unit is of: ``web`` of ``aftercommit-web.service``."""
        return self.name.partition("-")[2].removesuffix(".service")

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables that the unit sets itself."""
        pairs = " ".join(self.values.get("Environment", [])).split()
        return dict(pair.split("=", 1) for pair in pairs)


def unit_files() -> dict[str, str]:
    """Return the text of each unit and of each file that units share, by its path."""
    found = blocks("deploy-systemd", "ini")
    shared = {f"shop-.service.d/{name}": found[f"aftercommit-.service.d/{name}"]
              for name in DROP_INS["shop"]}  # fmt: skip
    return found | shared


def units(project: str = "aftercommit") -> dict[str, Unit]:
    """Return the units of the project, by what they are of."""
    read = [
        Unit(path, values_of(text))
        for path, text in unit_files().items()
        if path.startswith(f"{project}-") and path.endswith(".service")
    ]
    return {each.program: each for each in read}


def values_of(text: str) -> dict[str, list[str]]:
    """Return the values of each key of a unit's text."""
    found: dict[str, list[str]] = {}
    for line in text.replace("\\\n", " ").splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def site_env() -> dict[str, str]:
    """Return the variables of ``/etc/aftercommit/site.env``."""
    return variables_in("deploy-systemd")


def variables_in(page: str) -> dict[str, str]:
    """Return the variables of the page's file of them."""
    pairs = re.findall(r"^(\w+)=(.*)$", env_text(page), re.MULTILINE)
    return {name: value.strip("'") for name, value in pairs}


def env_text(page: str) -> str:
    """Return the page's file of variables, as it is on the page."""
    return next(each.text for each in read_page(f"how-to/{page}.md").blocks if is_env(each))


def is_env(block: Block) -> bool:
    """Return whether the block is a file of variables."""
    return block.language == "text" and bool(re.fullmatch(r"(\w+=.*\n)+", block.text))


def manifests() -> Iterator[dict[str, Any]]:
    """Yield each object that the page about Kubernetes has."""
    for text in blocks("deploy-kubernetes", "yaml").values():
        yield from yaml.safe_load_all(text)


def pods() -> dict[str, dict[str, Any]]:
    """Return the specification of the pods of each job and deployment, by its name."""
    kinds = ("Deployment", "Job")
    found = [each for each in manifests() if each["kind"] in kinds]
    return {each["metadata"]["name"]: each["spec"]["template"]["spec"] for each in found}


def containers() -> dict[str, dict[str, Any]]:
    """Return the one container of each pod, by the pod's name."""
    return {name: spec["containers"][0] for name, spec in pods().items()}
