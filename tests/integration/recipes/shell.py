"""Read the lines of a page's shell blocks: what each runs, and what can only be checked."""

import re
import shlex
import tomllib
from dataclasses import dataclass
from functools import cache

from packaging.requirements import InvalidRequirement, Requirement

from tests.integration.package import ROOT
from tests.integration.recipes.page import Block, PageError

PYTHON = ("python", "python3", ".venv/bin/python")
INSTALLERS = (("pip", "install"), ("uv", "add"), ("uv", "pip", "install"), ("poetry", "add"))
SERVERS = ("daphne", "granian", "gunicorn", "hypercorn", "uvicorn")
CELERY = ("worker", "beat")
OTHERS = ("runserver", "test", "testserver", "db_worker")
"""Commands of ``manage.py`` that need a process of their own."""


@dataclass(frozen=True)
class Command:
    """A line of a shell block, in words."""

    line: str
    words: tuple[str, ...]

    @property
    def manage(self) -> tuple[str, ...] | None:
        """Return the arguments of ``manage.py`` if the project's own process can run the line."""
        words = self.words[1:] if self.words[0] in PYTHON else self.words
        if words[0] not in ("manage.py", "./manage.py") or words[1] in OTHERS or self.is_shell:
            return None
        return words[1:]

    @property
    def is_shell(self) -> bool:
        """Return whether the line needs a shell: for a pipe, a variable or another command."""
        return bool({"|", ">", ">>", "<", "&&", "||", ";", "&"} & {*self.words})

    @property
    def installs(self) -> tuple[str, ...] | None:
        """Return what the line installs, or None if it installs nothing."""
        words = self.words[2:] if self.words[1:2] == ("-m",) else self.words
        for installer in INSTALLERS:
            if words[: len(installer)] == installer:
                return tuple(each for each in words[len(installer) :] if each[0] != "-")
        return None

    @property
    def is_worker(self) -> bool:
        """Return whether the line starts a worker of Celery."""
        return self.words[0] == "celery" and "worker" in self.words

    @property
    def stays(self) -> bool:
        """Return whether the program runs until it is stopped."""
        name = self.words[0]
        beats = name == "celery" and bool({*CELERY} & {*self.words})
        serves = name in SERVERS or bool({"runserver", "db_worker"} & {*self.words[:3]})
        return beats or serves or self.words[-1] == "&"


def commands(block: Block) -> list[tuple[Command, str | None]]:
    """Return the commands of a block, each with the output that the block shows for it."""
    if block.language == "console":
        return list(_console(block))
    text = block.text.replace("\\\n", " ")
    return [(command, None) for line in text.splitlines() if (command := _command(block, line))]


def _console(block: Block) -> list[tuple[Command, str | None]]:
    found: list[tuple[Command, str | None]] = []
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        line, _, output = part.partition("\n")
        if command := _command(block, line):
            found.append((command, output))
    return found


def _command(block: Block, line: str) -> Command | None:
    try:
        words = shlex.split(line, comments=True)
    except ValueError as error:
        raise PageError(f"{block.place}: {line!r} is no command: {error}.") from None
    return Command(line, tuple(words)) if words else None


def check_installed(block: Block, names: tuple[str, ...]) -> None:
    """Raise PageError if a page installs what doesn't exist, or what the tests don't have."""
    for name in names:
        try:
            requirement = Requirement(re.sub(r".*\.whl|^\.?/[\w/.-]*|^\.", "aftercommit", name))
        except InvalidRequirement as error:
            raise PageError(f"{block.place}: {name!r} can't be installed: {error}") from None
        package = requirement.name.lower().replace("_", "-")
        unknown = requirement.extras - extras() if package == "aftercommit" else set()
        if unknown or package not in packages():
            raise PageError(
                f"{block.place}: {name!r} has extras that pyproject.toml lacks, or is a package "
                "that requirements/ lacks."
            )


@cache
def extras() -> set[str]:
    """Return the names of the library's extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {*project["optional-dependencies"]}


@cache
def packages() -> set[str]:
    """Return the packages that the tests' environment has, and the library."""
    files = [path.read_text() for path in (ROOT / "requirements" / "locked").glob("*.txt")]
    pinned = re.findall(r"^([\w.-]+)==", "\n".join(files), re.MULTILINE)
    return {"aftercommit", *(each.lower().replace("_", "-") for each in pinned)}
