"""The attacks: one function each, found by its module and told by its docstring."""

import importlib
from collections.abc import Callable
from typing import NamedTuple

from tests.tools.attack.target import Target
from tests.tools.attack.tries import Tries

Run = Callable[[Target, Tries], None]


class Attack(NamedTuple):
    """What is tried: one sentence, and the function that tries it."""

    area: str
    title: str
    run: Run


_FOUND: dict[str, list[Attack]] = {}


def attack(run: Run) -> Run:
    """Register a function as an attack. The first line of its docstring is the title."""
    area = run.__module__.rpartition(".")[2]
    title = (run.__doc__ or "").splitlines()[0].rstrip(".")
    _FOUND.setdefault(area, []).append(Attack(area, title, run))
    return run


def attacks_of(area: str) -> list[Attack]:
    """Return the attacks of a module of ``attacks/``, in the order in which they stand there."""
    importlib.import_module(f"tests.tools.attack.attacks.{area}")
    return _FOUND[area]
