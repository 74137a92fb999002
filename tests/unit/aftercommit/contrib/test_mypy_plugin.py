"""What mypy says of tasks with the plugin."""

from pathlib import Path

from mypy import api

SNIPPET = """
from collections.abc import Sequence
from typing import Any

from celery import shared_task

from aftercommit.call import Call

@shared_task
def plain(name: str) -> None: ...

@shared_task(atomic=False, lease=60)
def outside(name: str) -> None: ...

@shared_task(bind=True, max_retries=3)
def bound(self: Any, name: str) -> None: ...

@shared_task(batch=True)
def batch(calls: Sequence[Call]) -> None: ...

@shared_task(batch=False)
def single(name: str) -> None: ...

def right(alias: str) -> str:
    for task in (plain, outside, bound, single):
        task.delay_on_commit(name="a")
    batch.delay_on_commit(anything=1)
    batch.using(alias).delay_on_commit(anything=1)
    return plain.using(alias).delay_on_commit("a").id
"""

WRONG = """
    plain.delay_on_commit(name=1)
    outside.delay_on_commit()
    bound.delay_on_commit(nam="a")
    single.delay_on_commit(anything=1)
    plain.using(alias).delay_on_commit(name=1)
    outside.using(alias).delay_on_commit(nam="a")
    plain.using(None)
    plain.using(alias).delay_on_comit("a")
"""


def test_arguments(tmp_path: Path) -> None:
    """The arguments of calls are checked, but for those of a batch, and so is each name."""
    lines = SNIPPET.count("\n") + 1
    module = tmp_path / "snippet.py"
    module.write_text(f"{SNIPPET}\n\ndef wrong(alias: str) -> None:{WRONG}")
    config = Path(__file__).parents[4] / "pyproject.toml"
    found, problem, _ = api.run(["--config-file", str(config), str(module)])
    assert problem == ""
    errors = [line for line in found.splitlines() if " error: " in line]
    numbers = [int(line.split(":")[1]) for line in errors]
    first = lines + 3
    assert sorted(set(numbers)) == [*range(first, first + WRONG.count("\n") - 1)], found
