"""The pages of the reference have all that there is, with the defaults of the code."""

import inspect
import json
import re
from argparse import ArgumentParser, _SubParsersAction

from celery import current_app
from celery import signals as celery_signals
from django.dispatch import Signal

import aftercommit
from aftercommit import db, signals
from aftercommit.conf import Conf
from aftercommit.contrib import prometheus
from aftercommit.db.options import JOIN_BEGIN
from aftercommit.db.postgresql import vanished
from aftercommit.defaults import celery_defaults
from aftercommit.management.commands.outbox import Command
from aftercommit.operations.health import DatabaseHealth, Health, WorkerHealth
from aftercommit.outbox.call_options import HONOURED
from aftercommit.outbox.calling import call_on_commit
from aftercommit.outbox.task_options import DEFAULTS
from aftercommit.redis.options import OPTIONS
from tests.unit.aftercommit.reference import PROJECT, REFERENCE, defaults, in_code, rows

READERS = ("settings", "stack/config", "redis_login", "rabbitmq_login", "flower/login")
"""The modules of ``core`` that read variables of the environment."""


def test_page_of_settings() -> None:
    """The page has every setting with its default, and no other."""
    named = {name: value for name, value in defaults("settings.md").items() if "OUTBOX" in name}
    assert named == {f"OUTBOX_{name}": value for name, value in vars(Conf()).items()}


def test_defaults_of_the_library() -> None:
    """The page has the library's defaults of Celery's settings and of connections."""
    cells = rows("settings.md", "Defaults that come with the library")
    named = {in_code(row[0])[0] for row in cells}
    assert {f"CELERY_{name.upper()}" for name in celery_defaults(current_app.conf)} <= named
    pairs = {row[0]: dict(re.findall(r"`(\w+)` (\d+)", row[1])) for row in cells}
    values = [{name: int(value) for name, value in found.items()} for found in pairs.values()]
    assert OPTIONS in values
    assert vanished.PARAMETERS in values
    assert JOIN_BEGIN in defaults("settings.md")


def test_page_of_environment() -> None:
    """The page has every variable that the site reads, and no other."""
    files = [PROJECT / f"core/{name}.py" for name in READERS]
    reads = r'(?:env_\w+\(|environ\.get\(|(?:number|secret)\((?:os\.)?environ, )"([A-Z_]+)"'
    read = {name for file in files for name in re.findall(reads, file.read_text())}
    cells = rows("environment.md", "All variables")
    named = {name for row in cells for name in in_code(row[0])}
    assert named == read - {"PATH"}


def test_options_of_a_task() -> None:
    """The page has every option of a task, with its default."""
    own = defaults("options.md", "Of a task: the library's own")
    assert own | defaults("options.md", "Of a task: Celery's, with other defaults") == DEFAULTS


def test_options_of_a_call() -> None:
    """The page has every option of a call."""
    of_call = {*inspect.signature(call_on_commit).parameters} - {"task", "options"} | {*HONOURED}
    assert defaults("options.md", "Of a call").keys() == of_call


def subcommands() -> dict[str, ArgumentParser]:
    """Return the parser of each subcommand of ``manage.py outbox``."""
    parser = Command().create_parser("manage.py", "outbox")
    (found,) = [each for each in parser._actions if isinstance(each, _SubParsersAction)]
    return dict(found.choices)


def test_page_of_commands() -> None:
    """The page has a section for each subcommand, with a row for each of its options."""
    for name, parser in subcommands().items():
        section = rows("commands.md", f"`outbox {name}`")
        named = {in_code(cells[0])[0].split()[0] for cells in section}
        options = [[str(each.metavar), *each.option_strings][-1] for each in parser._actions]
        assert named == {*options} - {"--help"}, name
    sections = re.findall(r"^## `outbox (\w+)`$", (REFERENCE / "commands.md").read_text(), re.M)
    assert {*sections} == {*subcommands()}


def test_page_of_checks() -> None:
    """The page has every id of the library's system checks, and no other."""
    code = "".join(path.read_text() for path in (PROJECT / "aftercommit").rglob("*.py"))
    ids = re.findall(r"\baftercommit\.[EWI]\d{3}\b", code)
    assert sorted(in_code(cells[0])[0] for cells in rows("checks.md")) == sorted({*ids})


def test_page_of_signals() -> None:
    """The page has every signal of the library, and the Celery signals that it names exist."""
    own = {name for name, value in vars(signals).items() if isinstance(value, Signal)}
    assert {in_code(cells[0])[0] for cells in rows("signals.md")} == own
    page = (REFERENCE / "signals.md").read_text()
    assert {*re.findall(r"`((?:before_|after_)?task_\w+)`", page)} <= {*celery_signals.__all__}


def test_page_of_metrics() -> None:
    """The page has every metric with its labels."""
    whole = {name: ["database"] for name in prometheus.WHOLE}
    parts = {name: ["database", label] for name, (_, label, _) in prometheus.PARTS.items()}
    expected = {f"aftercommit_{name}": labels for name, labels in {**whole, **parts}.items()}
    named = {in_code(cells[0])[0]: in_code(cells[1]) for cells in rows("metrics.md")}
    assert named == expected


def test_page_of_answer() -> None:
    """The JSON that the page shows has the names and the types of an answer of ``/readyz``."""
    task, worker = "shop.tasks.write_receipt", WorkerHealth("celery@web-1", 1.1)
    health = Health([DatabaseHealth("default", {task: 0.2}, {}, [worker])])
    (shown,) = re.findall(r"```json\n(.*?)```", (REFERENCE / "metrics.md").read_text(), re.S)
    assert json.loads(shown) == health.as_json()


def test_page_of_names() -> None:
    """The page has every public name, with its docstring, and every module of ``contrib``."""
    names = {*aftercommit.__all__, *(f"aftercommit.db.{name}" for name in db.__all__)}
    contrib = [each for each in (PROJECT / "aftercommit/contrib").iterdir() if each.name[0] != "_"]
    modules = {f"aftercommit.contrib.{each.stem}" for each in contrib}
    named = [in_code(cells[0])[0].partition("(")[0] for cells in rows("api.md")]
    assert sorted(named) == sorted(names | modules)
    described = re.findall(r":: (aftercommit[\w.]+)", (REFERENCE / "api.md").read_text())
    assert {name if "." in name else f"aftercommit.{name}" for name in names} <= {*described}
