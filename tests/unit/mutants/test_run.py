"""The tests that a mutant has to pass."""

import pytest

from tests.tools.mutants import run
from tests.tools.mutants.__main__ import PACKAGES
from tests.tools.mutants.mutate import Mutant
from tests.tools.mutants.run import PROJECT, Case, folder_of


@pytest.mark.parametrize("package", PACKAGES)
def test_folder(package: str) -> None:
    """Each package has a folder of unit tests: pytest takes one that is missing for a failure."""
    assert [*(PROJECT / folder_of(package)).rglob("test_*.py")]


def test_nearest_tests() -> None:
    """Those of the module's own name come first, and then those that name it."""
    first, *others = run.tests_of(PROJECT, Case("content/models.py", Mutant(1, "", "")))
    assert first == "tests/unit/content/test_models.py"
    assert "content.models" in (PROJECT / others[0]).read_text()
