"""Each figure that a page about deploying tells beside the name of a setting is the setting's."""

import re
from collections.abc import Mapping

import pytest

from aftercommit.outbox.task_options import DEFAULTS
from core.management.commands.migrate_when_ready import Command
from core.serving import limits
from core.serving.__main__ import parser
from core.stopping import MORE
from tests.deploying import PAGES, site_env, text_of, variables_in
from tests.unit.aftercommit.reference import in_code, rows
from tests.unit.core.stack.test_compose import COMPOSE, SERVICES
from tests.unit.deploying.figures import STOPS_WITHIN, TIME_LIMIT

FIGURES = {
    "WORKER_STOPS_WITHIN": STOPS_WITHIN,
    "TASK_TIME_LIMIT": TIME_LIMIT,
    "CELERY_TASK_TIME_LIMIT": TIME_LIMIT,
    "time_limit": TIME_LIMIT,
    "lease": DEFAULTS["lease"],
    **{name: value for name, value in vars(limits).items() if name.isupper()},
}
NAMED = re.compile(r"`(\w+)`(?: \(| = )(\d+)\b|\b([A-Z_]+) = (\d+)\b")


def named_in(text: str) -> list[tuple[str, int]]:
    """Return the settings that the text names with a figure."""
    found = ((a or c, int(b or d)) for a, b, c, d in NAMED.findall(text))
    return [(name, figure) for name, figure in found if name in FIGURES]


@pytest.mark.parametrize("page", PAGES)
def test_figures_beside_their_names(page: str) -> None:
    """A figure in parentheses behind the name of a setting is that of the setting."""
    found = named_in(text_of(page))
    assert [pair for pair in found if FIGURES[pair[0]] != pair[1]] == []


def test_another_figure_is_seen() -> None:
    """The page is red that names another one. The pages name several."""
    assert len([pair for page in PAGES for pair in named_in(text_of(page))]) > 5
    assert named_in("for `WORKER_STOPS_WITHIN` (90) seconds") == [("WORKER_STOPS_WITHIN", 90)]
    assert named_in("`lease` (60 by default)") == [("lease", 60)]
    assert named_in("CELERY_TASK_TIME_LIMIT = 60  # seconds") == [("CELERY_TASK_TIME_LIMIT", 60)]


@pytest.mark.parametrize("page", [*PAGES, "../../README"])
def test_a_workers_seconds(page: str) -> None:
    """Wherever a page says how long a worker has to stop, it is as long as Compose gives it."""
    text = text_of(page)
    told = [*re.findall(r"(\d{2,}) (?:seconds|s)\b[^.]{0,30}\bto stop", text)]
    told += re.findall(r"\bso (\d{2,}) seconds", text)
    told += re.findall(r"worker[^.]{0,30} (\d{2,}) (?:seconds|s) (?:before|to)", text)
    assert {*told} <= {str(STOPS_WITHIN)}
    assert told or page in PAGES[1:]


@pytest.mark.parametrize("page", ["deploy-systemd", "deploy-kubernetes"])
def test_seconds_beside_the_longest_call(page: str) -> None:
    """Whoever has a time limit of their own learns how many seconds a worker needs beside it."""
    told = re.findall(r"TIME_LIMIT`?[^.]*?\b(\d+) (?:s more|more|for the rest)", text_of(page))
    assert {*told} == {str(MORE)}


@pytest.mark.parametrize("given", [site_env(), variables_in("deploy-compose")])
def test_variables(given: Mapping[str, str]) -> None:
    """Each that a page sets is one of the site's. The proxy of the machine is believed."""
    known = {each for row in rows("environment.md", "All variables") for each in in_code(row[0])}
    assert given.keys() <= known
    assert given["PROXY_HTTPS_HEADER"] == "X-Forwarded-Proto"


def test_the_machine_as_the_containers_see_it() -> None:
    """A proxy of the machine comes from the first address of the network."""
    (config,) = COMPOSE["networks"]["site"]["ipam"]["config"]
    network = config["subnet"].partition(":-")[2].strip("}")
    assert variables_in("deploy-compose")["TRUSTED_PROXIES"] == network.replace("0/24", "1")


def test_log() -> None:
    """A container keeps as many megabytes of its log as the page says."""
    options = SERVICES["worker"]["logging"]["options"]
    megabytes = int(options["max-size"].removesuffix("m")) * int(options["max-file"])
    assert f"keeps {megabytes} MB of it" in text_of("deploy-compose")


def test_connections() -> None:
    """A web server has one for each thread and one for ``/readyz``, in each of its processes."""
    words = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    processes = parser().get_default("processes")
    number = words[processes * (limits.THREADS + 1)]
    assert f"A web server needs up to {number} connections" in text_of("deploy-compose")


def test_migrations_wait() -> None:
    """Those of the job wait for the database as long as the page says."""
    seconds = Command().create_parser("manage.py", "migrate_when_ready").get_default("seconds")
    assert f"waits up to {seconds} s for the database" in text_of("deploy-kubernetes")
