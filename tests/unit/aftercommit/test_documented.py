"""The figures that the documents promise are those of the code, and the reference is complete."""

import ast
import inspect
import json
import re
from argparse import ArgumentParser, _SubParsersAction
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from celery import signals as celery_signals
from django.dispatch import Signal

import aftercommit
from aftercommit import db, signals
from aftercommit.conf import Conf
from aftercommit.contrib import prometheus
from aftercommit.db.sqlite3.outbox import SQLiteOperations
from aftercommit.management.commands.outbox import Command
from aftercommit.operations.health import DatabaseHealth, Health, WorkerHealth
from aftercommit.outbox import turns, waker
from aftercommit.outbox.call_options import HONOURED
from aftercommit.outbox.calling import call_on_commit
from aftercommit.outbox.task_options import DEFAULTS, Options
from aftercommit.worker import deferred_writes, forks, heartbeat
from notifications.tasks import send_delivery
from tests.unit.aftercommit import effects

PROJECT = Path(__file__).parents[3]
DOCUMENTS = [*PROJECT.glob("*.md"), *PROJECT.glob("docs/**/*.md")]
REFERENCE = PROJECT / "docs" / "reference"


def documented() -> dict[str, set[float]]:
    """Return the defaults that the documents' tables and sentences name for each setting."""
    found: dict[str, set[float]] = {}
    rows = r"`OUTBOX_([A-Z_]+)`(?: \| | \()(\d[\d,]*)(?=,|\)| \||  ?\()"
    for document in DOCUMENTS:
        for name, value in re.findall(rows, document.read_text()):
            found.setdefault(name, set()).add(float(value.replace(",", "")))
    return found


def test_settings() -> None:
    """A default that a document names is the setting's."""
    named = documented()
    assert {"SWEEP_INTERVAL", "UNKNOWN_TASK_GRACE", "MAX_AGE"} <= named.keys()
    computed = {
        "CRASH_GRACE": 2.0,
        "STALE_WORKER": heartbeat.stale_seconds(),
        "MAX_FAILING_AGE": 30,
    }
    for name, values in named.items():
        default = getattr(Conf, name)
        assert values == {computed[name] if default is None else default}, name


DEFAULT_SETTINGS = {
    "SWEEP_INTERVAL": 2,
    "DRAIN_SECONDS": 5,
    "WAKE_TTL": 5,
    "CACHE": "default",
    "FLUSH_SECONDS": 2,
    "UNKNOWN_TASK_GRACE": 3600,
    "CRASH_GRACE": None,
    "IDLE_LIMIT": None,
    "MAX_CRASHES": 3,
    "MAX_AGE": 60,
    "MAX_AGES": {},
    "MAX_FAILING_AGE": None,
    "STALE_WORKER": None,
    "EVENTS": "failures",
    "CONTEXT": {},
    "HEALTH_SECONDS": 3,
}


def test_every_setting() -> None:
    """A default is changed on purpose alone: what runs in production leans on it."""
    assert vars(Conf()) == DEFAULT_SETTINGS


def test_retries() -> None:
    """A task that names nothing has 8 retries, with jitter, at most ten minutes apart."""
    options = Options.of(effects.take_values)
    assert (options.max_retries, options.retry_backoff) == (8, True)
    assert (options.retry_backoff_max, options.retry_jitter) == (600, True)
    assert (options.atomic, options.batch, options.batch_size, options.lease) == (
        True, False, 500, 120,
    )  # fmt: skip
    assert DEFAULTS["reject_on_worker_lost"] is False


def test_tries_of_a_mail() -> None:
    """A mail is tried 25 times, the last of them up to two and a half hours after the first."""
    options: Any = Options.of(send_delivery)
    assert options.max_retries == 24
    waits = [min(2**attempt, options.retry_backoff_max) for attempt in range(options.max_retries)]
    assert 2 * 3600 <= sum(waits) <= 3 * 3600
    assert (options.atomic, options.reject_on_worker_lost) == (False, True)


@pytest.mark.parametrize(
    ("module", "name", "value"),
    [
        (waker, "PAUSE", 0.01),
        (waker, "OUTAGE_PAUSE", 1.0),
        (waker, "MAX_WAITING", 1000),
        (turns, "MAX_HOLD_SECONDS", 120),
        (turns, "TOLERATED", 3),
        (SQLiteOperations, "largest_batch", 50),
        (forks, "FORK_WAITS", 10),
        (deferred_writes, "FIRST_PAUSE", 0.2),
    ],
)
def test_measured(module: Any, name: str, value: float) -> None:
    """A figure that was measured, or that a document names, is changed on purpose alone."""
    assert getattr(module, name) == value


def rows(page: str, section: str = "") -> list[list[str]]:
    """Return the cells of all rows of the page's tables, or of one section of it."""
    text = (REFERENCE / page).read_text()
    if section:
        text = text.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def in_code(cell: str) -> list[str]:
    """Return what a cell shows as code."""
    return re.findall(r"`([^`]+)`", cell)


def defaults(page: str) -> dict[str, Any]:
    """Return the defaults by name: of tables with the columns name, type, default and meaning."""
    tables = [cells for cells in rows(page) if len(cells) == 4]
    return {in_code(cells[0])[0]: value_of(cells[2]) for cells in tables}


def value_of(cell: str) -> Any:
    """Return the value that the cell shows as code, or its text."""
    found = in_code(cell)
    return ast.literal_eval(found[0]) if found else cell


def test_page_of_settings() -> None:
    """The page has every setting with its default, and no other."""
    named = {name: value for name, value in defaults("settings.md").items() if "OUTBOX" in name}
    assert named == {f"OUTBOX_{name}": value for name, value in DEFAULT_SETTINGS.items()}
    assert [field.name for field in fields(Conf)] == [*DEFAULT_SETTINGS]


def test_page_of_environment() -> None:
    """The page has every variable that the site reads, and no other."""
    files = [PROJECT / "core/settings.py", PROJECT / "core/stack/config.py"]
    reads = r'(?:env_\w+\(|environ\.get\(|number\(environ, )"([A-Z_]+)"'
    read = {name for file in files for name in re.findall(reads, file.read_text())}
    named = {name for cells in rows("environment.md") for name in in_code(cells[0])}
    assert named == read - {"PATH"}


def test_page_of_options() -> None:
    """The page has every option of a task with its default, and every option of a call."""
    named = defaults("options.md")
    of_call = {*inspect.signature(call_on_commit).parameters} - {"task", "options"} | {*HONOURED}
    assert named.keys() == {*DEFAULTS} | of_call
    assert {name: named[name] for name in DEFAULTS if name not in of_call} == {
        name: value for name, value in DEFAULTS.items() if name not in of_call
    }
    assert {in_code(cells[0])[0] for cells in rows("options.md", "Of a call")} == of_call


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
        options = [action.option_strings[-1:] or ["ID"] for action in parser._actions]
        assert named == {text for texts in options for text in texts} - {"--help"}, name
    sections = re.findall(r"^## `outbox (\w+)`$", (REFERENCE / "commands.md").read_text(), re.M)
    assert {*sections} == {*subcommands()}


def test_page_of_checks() -> None:
    """The page has every id of the library's system checks, and no other."""
    code = "".join(path.read_text() for path in (PROJECT / "aftercommit").rglob("*.py"))
    ids = re.findall(r"\baftercommit\.[EWI]\d{3}\b", code)
    assert {in_code(cells[0])[0] for cells in rows("checks.md")} == {*ids}


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
    named = {in_code(cells[0])[0].partition("(")[0] for cells in rows("api.md")}
    assert named == names | modules
    described = re.findall(r":: (aftercommit[\w.]+)", (REFERENCE / "api.md").read_text())
    assert {name if "." in name else f"aftercommit.{name}" for name in names} <= {*described}


def test_quickstart_is_one_screen() -> None:
    """The quickstart has 45 lines at most. What readers don't see is not counted."""
    text = (PROJECT / "docs/quickstart.md").read_text()
    assert len(re.sub(r"<!--.*?-->\n", "", text, flags=re.S).splitlines()) <= 45


def test_readme_is_short() -> None:
    """The README has fewer than 150 lines."""
    assert len((PROJECT / "README.md").read_text().splitlines()) < 150
