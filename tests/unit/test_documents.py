"""The modules, tests, pages and headings that the documents name are there."""

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path
    for path in (*PROJECT.glob("*.md"), *PROJECT.glob("docs/**/*.md"))
    if "_build" not in path.parts and path.name != "CHANGELOG.md"  # it names what was there once
)
TEST = re.compile(r"`((?:…/)?[\w/]*test_\w+\.py|…)?((?:::[\w…\[\]|]+)*)`")
MODULE = re.compile(r"`([\w/]+\.py)`")
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
FENCED = re.compile(r"^ *(```+|~~~+).*?^ *\1 *$", re.MULTILINE | re.DOTALL)
OF_A_READER = re.compile(r"(shop|mysite)/|(celery|conftest|settings|urls)\.py$")
"""The files of the projects that the pages make."""

PLACES = (PROJECT, PROJECT / "aftercommit", PROJECT / "tests")
NAMES = {
    path.name
    for folder in ("aftercommit", "core", "tests")
    for path in (PROJECT / folder).rglob("*.py")
}
"""The names that several modules can have, such as ``base.py``. A document names them alone."""

each_document = pytest.mark.parametrize(
    "document", DOCUMENTS, ids=lambda path: str(path.relative_to(PROJECT))
)


@each_document
def test_modules(document: Path) -> None:
    """A module that a document names exists."""
    modules = [name for name in MODULE.findall(document.read_text()) if "test_" not in name]
    named = {name for name in modules if not OF_A_READER.match(name)}
    assert {name for name in named - NAMES if not _is_module(name)} == set()


def _is_module(name: str) -> bool:
    return any((place / name).is_file() for place in PLACES)


@each_document
def test_links(document: Path) -> None:
    """A page and a heading that a document links to exist."""
    links = LINK.findall(FENCED.sub("", document.read_text()))
    assert [link for link in links if not _leads_anywhere(document, *link)] == []


def test_links_that_lead_nowhere() -> None:
    """A link is followed to its page and to its heading."""
    page = PROJECT / "docs" / "glossary.md"
    good = [("", ""), ("quickstart.md", ""), ("../README.md", ""), ("", "a-call-and-its-end")]
    bad = [("nowhere.md", ""), ("", "nowhere"), ("quickstart.md", "nowhere")]
    assert all(_leads_anywhere(page, *link) for link in good)
    assert not any(_leads_anywhere(page, *link) for link in bad)


def _leads_anywhere(document: Path, name: str, anchor: str) -> bool:
    page = document.parent / name if name else document
    return page.exists() and (not anchor or anchor in _anchors(page))


def _anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub and the generator give to the page's headings."""
    headings = HEADING.findall(FENCED.sub("", page.read_text()))
    return {re.sub(r"[^\w -]", "", text).lower().replace(" ", "-") for text in headings}


@each_document
def test_tests(document: Path) -> None:
    """A test that a document names exists. ``…`` stands for the file or class named before."""
    missing, files = [], []
    for match in TEST.finditer(document.read_text()):
        file, parts = match.groups()
        if (not file and not parts) or (file and OF_A_READER.match(file)):
            continue
        if file and file != "…":
            files = [*(PROJECT / "tests").rglob(Path(file).name)]
        names = [re.sub(r"\[.*", "", name) for name in parts.split("::") if name not in ("", "…")]
        if not any(_has_all(path, names) for path in files):
            missing.append(match[0])
    assert missing == []


def _has_all(path: Path, names: list[str]) -> bool:
    text = path.read_text()
    return all(re.search(rf"(class|def) {re.escape(name)}\b", text) for name in names)
