"""A page's project: its files in a folder, its databases, and a process that runs its snippets."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from core.stack.tether import tethered
from core.stack.waiting import wait_until
from tests.integration.package import clean_environment
from tests.integration.program import TIMEOUT, Program, running
from tests.integration.recipes.base import ADOPTED, APPS_OF_CELERY, BASE, ENDS, SHORT
from tests.integration.recipes.page import Block
from tests.integration.recipes.shell import Command

DRIVER = Path(__file__).with_name("driver.py")

WORKER = "celery -A mysite worker --concurrency 1 --loglevel INFO"


class SnippetError(AssertionError):
    """A snippet failed. Its text says which, and what it wrote."""


@dataclass(frozen=True)
class Surroundings:
    """What a project is given: the wheel, a database, and servers in place of those it names."""

    wheel: Path
    database: Mapping[str, Any]
    servers: Mapping[str, str] = field(default_factory=dict)
    """The address of a server for each that pages name, such as ``redis://localhost:6379/0``."""
    packages: Sequence[Path] = ()
    """Folders with packages that the environment doesn't have."""

    @property
    def path(self) -> str:
        """Return what Python's path has before the environment's packages."""
        return os.pathsep.join(map(str, [self.wheel, *self.packages]))

    @property
    def vendor(self) -> str:
        """Return the database's vendor, as the module of a backend is called."""
        return str(self.database["ENGINE"].rpartition(".")[2])


class Recipe:
    """A project that runs from the wheel. It is migrated when it is asked for the first time."""

    def __init__(self, folder: Path, around: Surroundings, adopted: bool = True) -> None:
        self.folder, self.around = folder, around
        self.environment = {
            **clean_environment(),
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "PYTHONPATH": around.path,
            "DJANGO_SETTINGS_MODULE": "mysite.settings",
        }
        self._open = ExitStack()
        self.programs: list[Program] = []
        self._parts: dict[str, list[str]] = {path: [text] for path, text in BASE.items()}
        self._fill_in_settings()
        self._app = APPS_OF_CELERY[adopted]
        vendor = around.vendor
        adoption = {path: text.replace("{vendor}", vendor) for path, text in ADOPTED.items()}
        self.write(adoption if adopted else {})

    def _fill_in_settings(self) -> None:
        values = {
            "wheel": str(self.around.wheel),
            "database": dict(self.around.database),
            "broker": self.around.servers.get("redis://localhost:6379/0", "memory://"),
            "vendor": self.around.vendor,
        }
        path = "mysite/settings.py"
        self._parts[path] = [BASE[path].format(**values)]
        end = re.sub(
            r"\{vendor(!r)?\}|\{database!r\}", lambda it: it[0].format(**values), ENDS[path]
        )
        self._ends = {**ENDS, path: end}

    def write(self, files: Mapping[str, str], replace: bool = False) -> None:
        """Add these texts to the files of these paths, or replace the files by them."""
        for path, text in files.items():
            parts = self._parts.setdefault(path, [])
            if replace and path not in ENDS:
                parts.clear()
            parts.append(self._localised(text))
        for path, parts in self._parts.items():
            target = self.folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.parent != self.folder and target.suffix == ".py":
                (target.parent / "__init__.py").touch()
            target.write_text("\n\n".join([*self._complete(path, parts), self._ends.get(path, "")]))

    def _complete(self, path: str, parts: Sequence[str]) -> Sequence[str]:
        """Return the parts of the file, with Celery's app if none of them makes it."""
        makes_app = any(re.search(r"^app = ", part, re.MULTILINE) for part in parts)
        if path != "mysite/celery.py" or makes_app:
            return parts
        return [parts[0], self._app, *parts[1:]]

    def write_blocks(self, blocks: Iterable[Block]) -> None:
        """Add the files of a page."""
        for block in blocks:
            path = f"mysite/{block.path}" if block.path in SHORT else block.path
            text = spread(block.text) if path == "mysite/settings.py" else block.text
            self.write({path: text}, replace="replace" in block.marks)

    def _localised(self, text: str) -> str:
        """Return the text with the servers of this run instead of those that pages name."""
        for named, actual in self.around.servers.items():
            text = text.replace(named, actual)
        return text

    @cached_property
    def _process(self) -> subprocess.Popen[str]:
        """The process that runs snippets. It has made the databases and their tables."""
        shutil.copy(DRIVER, self.folder / "driver.py")
        with (self.folder / "driver.log").open("a") as log:
            process = subprocess.Popen(
                tethered([sys.executable, "driver.py"]),
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.__dict__["_process"] = process
        assert self._read() == "ready"
        return process

    def start_process(self) -> None:
        """Have the databases and their tables made, and the project imported."""
        self._process  # noqa: B018

    def _read(self) -> Any:
        process = self._process
        deadline = threading.Timer(TIMEOUT, process.kill)
        deadline.start()
        line = process.stdout.readline() if process.stdout else ""
        deadline.cancel()
        if not line:
            raise SnippetError(f"The project ended:\n{(self.folder / 'driver.log').read_text()}")
        return json.loads(line)

    def ask(self, kind: str, what: Any) -> dict[str, Any]:
        """Have the project's process do something. Return its answer; see ``driver.py``."""
        question = json.dumps({"kind": kind, "what": what})
        process = self._process
        assert process.stdin
        process.stdin.write(f"{question}\n")
        process.stdin.flush()
        return dict(self._read())

    def do(self, kind: str, what: Any) -> str:
        """Do the same. Return what was written. Raises SnippetError if it failed."""
        answer = self.ask(kind, what)
        if answer["error"]:
            raise SnippetError(f"{what}\n{answer['error']}\n{answer['output']}{answer['errors']}")
        return str(answer["output"])

    def fail(self, kind: str, what: Any) -> str:
        """Do what has to fail. Return what was written, and the error's text."""
        answer = self.ask(kind, what)
        if not answer["error"]:
            raise SnippetError(f"This was to fail:\n{what}\n{answer['output']}")
        is_exit = answer["error"].startswith("exit status")
        return f"{answer['output']}{answer['errors'] if is_exit else answer['error']}"

    def python(self, code: str) -> str:
        """Run the code, with the names of what ran before it. Return what it printed."""
        return self.do("python", code)

    def manage(self, line: str) -> str:
        """Run ``manage.py`` with the arguments of the line. Return what it wrote."""
        return self.do("manage", shlex.split(line))

    def value(self, expression: str) -> Any:
        """Return the value of an expression that JSON can carry."""
        return json.loads(self.python(f"import json; print(json.dumps({expression}))"))

    def wait_until(self, expression: str, timeout: float = TIMEOUT) -> None:
        """Wait until the expression is true in the project."""
        wait_until(
            lambda: self.value(f"bool({expression})"), timeout, lambda: f"{expression}{self.logs()}"
        )

    def wait_until_idle(self) -> None:
        """Wait until no call is due."""
        wait_until(
            lambda: self.ask("idle", "")["value"], TIMEOUT, lambda: f"an empty outbox{self.logs()}"
        )

    def logs(self) -> str:
        """Return what all programs have written."""
        return "".join(f"\n{each.log.name}:\n{each.written()}" for each in self.programs)

    def restart(self) -> None:
        """End the project's process, so that the next sees other files. Programs end too."""
        self._open.close()
        self.programs.clear()
        if process := self.__dict__.pop("_process", None):
            process.communicate(timeout=TIMEOUT)

    def start(self, line: str) -> Program:
        """Start a program, which runs until the project ends."""
        log = f"program{len(self.programs)}.log"
        words = shlex.split(self._localised(line))
        program = self._open.enter_context(running(words, self.folder, self.environment, log))
        self.programs.append(program)
        return program

    @contextmanager
    def worker(self, options: str = "") -> Iterator[Program]:
        """Have a worker of Celery run in the block."""
        self.start_process()
        words = shlex.split(f"{WORKER} {options}")
        log = f"worker{len(self.programs)}.log"
        with running(words, self.folder, self.environment, log) as program:
            self.programs.append(program)
            program.wait_to_say(" ready.")
            yield program

    def run(self, command: Command) -> str:
        """Run a line of a shell. Return what it wrote. Raises SnippetError if it failed."""
        done = self._run(command)
        if done.returncode:
            raise SnippetError(f"{command.line}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def run_to_fail(self, command: Command) -> str:
        """Run a line of a shell that has to fail. Return what it wrote."""
        done = self._run(command)
        if not done.returncode:
            raise SnippetError(f"This was to fail:\n{command.line}\n{done.stdout}")
        return f"{done.stdout}{done.stderr}"

    def _run(self, command: Command) -> subprocess.CompletedProcess[str]:
        self.start_process()
        line = re.sub(r"^(\./)?manage\.py", "python manage.py", self._localised(command.line))
        return subprocess.run(
            ["sh", "-c", line],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=2 * TIMEOUT,
            check=False,
        )


def spread(settings: str) -> str:
    """Return settings in which ``...`` in a list or a dict has become the entries of before."""
    settings = re.sub(
        r'^(\w+) = \{"(\w+)": \{([^{}]*), \.\.\.(,?\s*\}\s*\})',
        r'\1 = {"\2": {**\1["\2"], \3\4',
        settings,
        flags=re.MULTILINE,
    )
    return re.sub(
        r"^(\w+) = \[([^\]]*?)(?<!\w)\.\.\.(?!\w)", r"\1 = [\2*\1", settings, flags=re.MULTILINE
    )


Make = Callable[..., Recipe]
"""The type of the fixture ``recipe``."""
