"""The mutants of a module: each is a slip that a test should notice."""

import ast
from pathlib import Path

import pytest

from aftercommit.worker import claim
from tests.tools.mutants.mutate import mutants


def texts(source: str) -> list[str]:
    """Return the mutants' texts."""
    return [mutant.text for mutant in mutants(source)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("f(1)", ["pass", "f(3)"]),
        ("def f(): return x", ["def f(): return None"]),
        ("a = f(x, y=b, z=c)", ["a = f(x,  z=c)", "a = f(x, y=b, )"]),
        ("@g\ndef f(): ...", ["\ndef f(): ..."]),
        ("a = b < c", ["a = b <= c"]),
        ("a = b not in (c)", ["a = b in (c)"]),
        ("a = b is not c", ["a = b is c"]),
        ("a = (b) and c or d", ["a = (b) and c and d", "a = (b) or c or d"]),
        ("a = b - c", ["a = b + c"]),
        ("if a: b", ["if not (a): b"]),
        ("a = not b", ["a = (b)"]),
        ("a = True", ["a = False"]),
        (
            "s = 'SELECT 1 FROM a WHERE b AND c FOR UPDATE SKIP LOCKED'",
            [
                "s = 'SELECT 1 FROM a WHERE b  FOR UPDATE SKIP LOCKED'",
                "s = 'SELECT 1 FROM a WHERE b AND c FOR UPDATE '",
            ],
        ),
        ("s = 'DELETE (a) SKIP LOCKED'", ["s = 'DELETE (a) '"]),
    ],
)
def test_changes(source: str, expected: list[str]) -> None:
    """Each place is changed by itself, and nothing else is."""
    assert texts(source) == expected


@pytest.mark.parametrize(
    "source",
    ['"""1 < 2"""', "a: Literal[1]", "def f(a: Literal[True]) -> Literal[1]: ...", "import a"],
)
def test_leaves_alone(source: str) -> None:
    """What runs nothing has no mutants."""
    assert texts(source) == []


def test_parses() -> None:
    """The mutants of a real module can be read, all but what is cut from its SQL."""
    found = texts(Path(str(claim.__file__)).read_text())
    assert len(found) > 10
    for text in found:
        ast.parse(text)
