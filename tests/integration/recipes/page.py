"""Read a page of the documents: its blocks of code, and what the page says about each of them."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby
from pathlib import Path, PurePosixPath

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parents[3]

COMMENT = re.compile(r"<!--\s*(?P<name>[a-z ]+?)\s*(?::\s*(?P<value>.*?))?\s*-->", re.DOTALL)
FIRST_LINE = re.compile(r"#\s*(?P<path>[\w./-]+\.[a-z]+)\s*$")
"""A comment that names the file that a block is."""

LANGUAGES = {
    "bash": "sh", "console": "console", "postgresql": "sql", "py": "python", "pycon": "doctest",
    "python": "python", "sh": "sh", "shell": "sh", "sql": "sql", "text": "text",
}  # fmt: skip
"""The languages that can be run or compared."""

PICTURES = ("mermaid", "{")
"""The beginnings of languages that nobody expects to run: diagrams, and directives of Sphinx."""

HIDDEN = re.compile(r"<!--\s*hidden\n(?P<text>.*?)\s*-->", re.DOTALL)
"""Python that is run like any other, and that readers don't see."""

OF_BLOCK = ("fails", "not run", "replace")
OF_PAGE = ("base", "database", "packages", "project")
BASES = ("adopted", "plain")
"""The projects that a page can begin with: one that uses the library, and one that doesn't yet."""


class PageError(Exception):
    """A page has something that the tests can't run, and that it doesn't mark as not run."""


@dataclass(frozen=True)
class Block:
    """A block of code. ``marks`` are the comments above it, by name."""

    page: str
    line: int
    language: str
    text: str
    project: str = ""
    base: str = BASES[0]
    marks: dict[str, str] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """Return the page and the line, for messages."""
        return f"{self.page}:{self.line}"

    @property
    def path(self) -> str:
        """Return the path of the file that the block is, or "" if it is no file."""
        found = FIRST_LINE.match(self.text.split("\n", 1)[0])
        return found["path"] if found else ""

    @property
    def kind(self) -> str:
        """Return "file", "not run", "picture", or the kind of step. Raise PageError for others."""
        if "not run" in self.marks:
            return "not run"
        if self.path:
            return "file"
        if self.language.startswith(PICTURES):
            return "picture"
        if self.language == "python" and self.text.startswith(">>>"):
            return "doctest"
        if self.language in LANGUAGES:
            return LANGUAGES[self.language]
        raise PageError(
            f"{self.place}: a block of {self.language or 'no language'!r} can't be run. Begin it "
            "with a comment that has a file's path, or put <!-- not run: the reason --> above it."
        )


@dataclass(frozen=True)
class Page:
    """A page, with all its blocks in order."""

    name: str
    blocks: tuple[Block, ...]
    database: str = ""
    """The only database that the page can be run on, or "" for any."""
    packages: str = ""
    """The file of requirements/ with packages that only this page needs, or "" for none."""

    @property
    def projects(self) -> dict[str, list[Block]]:
        """Return the blocks of each project of the page."""
        return {
            name: [*blocks] for name, blocks in groupby(self.blocks, lambda block: block.project)
        }

    @property
    def not_run(self) -> list[Block]:
        """Return the blocks that the page marks as not run."""
        return [block for block in self.blocks if "not run" in block.marks]


@cache
def read_page(name: str) -> Page:
    """Return the page of this name, such as ``how-to/async.md`` of ``docs/``, or ``README.md``."""
    path = ROOT / name if name == "README.md" else ROOT / "docs" / name
    return parse_page(name, path.read_text())


def page_names() -> list[str]:
    """Return the names of all pages."""
    docs = ROOT / "docs"
    found = sorted(path.relative_to(docs) for path in docs.rglob("*.md"))
    pages = [path for path in found if not any(part.startswith("_") for part in path.parts)]
    return ["README.md", *map(str, map(PurePosixPath, pages))]


def parse_page(name: str, text: str) -> Page:
    """Return the page with this Markdown. Raises PageError for marks that mean nothing."""
    of_page = {"base": BASES[0], "database": "", "packages": "", "project": ""}
    blocks: list[Block] = []
    marks: dict[str, str] = {}
    for token in MarkdownIt().enable("table").parse(text):
        line, language = (token.map or [0])[0] + 1, token.info.strip().split(" ")[0]
        if hidden := HIDDEN.match(token.content) if token.type == "html_block" else None:
            blocks.append(Block(name, line, "python", hidden["text"], *_project(of_page)))
        elif token.type == "html_block":
            for mark, value in _marks(name, token):
                (of_page if mark in OF_PAGE else marks)[mark] = value
        elif token.type == "fence":
            blocks.append(Block(name, line, language, token.content, *_project(of_page), marks))
            marks = {}
    if marks:
        raise PageError(f"{name}: no block follows <!-- {', '.join(marks)} -->.")
    return Page(name, tuple(blocks), of_page["database"], of_page["packages"])


def _project(of_page: Mapping[str, str]) -> tuple[str, str]:
    return of_page["project"], of_page["base"]


def _marks(page: str, token: Token) -> Iterator[tuple[str, str]]:
    for comment in COMMENT.finditer(token.content):
        name, value = comment["name"], " ".join((comment["value"] or "").split())
        place = f"{page}:{(token.map or [0])[0] + 1}"
        if name not in (*OF_BLOCK, *OF_PAGE):
            known = ", ".join([*OF_BLOCK, *OF_PAGE, "hidden"])
            raise PageError(f"{place}: <!-- {name} --> means nothing. These do: {known}.")
        if name == "not run" and not value:
            raise PageError(f"{place}: say why: <!-- not run: the reason -->.")
        if name == "base" and value not in BASES:
            raise PageError(f"{place}: base is one of {', '.join(BASES)}, not {value!r}.")
        yield name, value


@dataclass(frozen=True)
class Step:
    """A block that is run, and the output that the page shows for it, if it shows one."""

    block: Block
    output: str | None = None


@dataclass(frozen=True)
class Phase:
    """Files, and what is run with them. A file that is replaced begins another phase."""

    files: tuple[Block, ...]
    steps: tuple[Step, ...]


def phases(blocks: Iterable[Block]) -> list[Phase]:
    """Return what a project's blocks ask for, in order. Raises PageError for what can't be run."""
    found: list[tuple[list[Block], list[Step]]] = [([], [])]
    shown_by: Step | None = None
    for block in blocks:
        if block.kind in ("not run", "picture"):
            continue
        if block.kind == "text":
            if shown_by is None:
                raise PageError(f"{block.place}: the text is shown by nothing that is run.")
            found[-1][1][-1] = Step(shown_by.block, block.text)
            shown_by = None
        elif block.kind == "file":
            if "replace" in block.marks and found[-1][1]:
                found.append(([], []))
            found[-1][0].append(block)
            shown_by = None
        else:
            shown_by = Step(block)
            found[-1][1].append(shown_by)
    return [Phase(tuple(files), tuple(steps)) for files, steps in found]
