"""The modules, tests and settings that the documents name are there."""

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
DOCUMENTS = sorted([PROJECT / "README.md", PROJECT / "ARCHITECTURE.md", *PROJECT.glob("docs/*.md")])
TEST = re.compile(r"`((?:…/)?[\w/]*test_\w+\.py|…)?((?:::[\w…\[\]|]+)*)`")
MODULE = re.compile(r"`([\w/]+\.py)`")
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")
PLACES = (PROJECT, PROJECT / "aftercommit", PROJECT / "tests")

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)


@each_document
def test_modules(document: Path) -> None:
    """A module or a page that a document names exists."""
    text = document.read_text()
    named = {name for name in MODULE.findall(text) if "test_" not in name}
    missing = {name for name in named if not any((place / name).is_file() for place in PLACES)}
    linked = {name for name in LINK.findall(text) if not (document.parent / name).exists()}
    assert (missing, linked) == (set(), set())


@each_document
def test_tests(document: Path) -> None:
    """A test that a document names exists. ``…`` stands for the file or class named before."""
    missing, files = [], []
    for match in TEST.finditer(document.read_text()):
        file, parts = match.groups()
        if not file and not parts:
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
