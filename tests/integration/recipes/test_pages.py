"""Every page of the documents does what it says: each of its snippets runs, on the wheel."""

import pytest

from tests.integration.recipes.page import Block, Page, PageError, page_names, phases, read_page
from tests.integration.recipes.recipe import Make
from tests.integration.recipes.running import run_phases
from tests.integration.recipes.shell import commands

SERVERS = {"amqp": "rabbitmq", "redis": "redis"}
"""For how an address begins, the fixture that is the server. A page without any has Redis."""

OFTEN = ("how-to/adopt.md", "how-to/sql-tasks.md")
"""The pages that ``make test`` runs too, so that it has some. Each takes seconds."""


def projects() -> list[object]:
    """Return a parameter for each project of each page, with the markers that it needs."""
    return [each for name in page_names() for each in _projects_of(name)]


def _projects_of(name: str) -> list[object]:
    try:
        page = read_page(name)
        found = page.projects.items()
        marks = {project: _markers(page, blocks) for project, blocks in found}
    except PageError:  # the test says so
        marks = {"": []}
    return [
        pytest.param(name, project, marks=markers, id=f"{name} {project}".strip())
        for project, markers in marks.items()
    ]


def _markers(page: Page, blocks: list[Block]) -> list[pytest.MarkDecorator]:
    only = pytest.mark.only_on(page.database, reason=f"The page is about {page.database}.")
    is_slow = page.packages or _starts(blocks) or page.name not in OFTEN
    return [*([only] if page.database else []), *([pytest.mark.slow] if is_slow else [])]


def _starts(blocks: list[Block]) -> bool:
    """Return whether the blocks need a process beside the one of a page."""
    shells = [block for block in blocks if block.kind in ("sh", "console")]
    lines = [command for block in shells for command, _ in commands(block)]
    return any(line.installs is None and line.manage is None for line in lines)


@pytest.mark.parametrize(("name", "project"), projects())
def test_page(name: str, project: str, recipe: Make, request: pytest.FixtureRequest) -> None:
    """All snippets of the page run, and write what the page shows."""
    page = read_page(name)
    blocks = page.projects.get(project, [])
    found = phases(blocks)
    if not any(phase.steps or phase.files for phase in found):
        return
    run = [block for block in blocks if block.kind != "not run"]
    named = {name for name in ("amqp", "redis") if any(f"{name}://" in each.text for each in run)}
    wanted = named or ({"redis"} if _starts(blocks) else set())
    servers = {SERVERS[each]: request.getfixturevalue(SERVERS[each]) for each in wanted}
    made = recipe(name, project, **servers)
    failure = ""
    try:
        run_phases(made, found)
    except AssertionError as error:
        failure = str(error)
    if failure:
        pytest.fail(failure, pytrace=False)


@pytest.mark.parametrize(
    "place",
    [
        pytest.param(block.place, marks=pytest.mark.skip(reason=block.marks["not run"]))
        for name in page_names()
        for block in read_page(name).not_run
    ],
)
def test_not_run(place: str) -> None:
    """A snippet that no test runs is listed with the reason that the page gives."""
