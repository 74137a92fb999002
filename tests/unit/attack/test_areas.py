"""Every module of attacks runs, and each attack says what it tries."""

from pathlib import Path

import pytest

from tests.tools.attack import attacks
from tests.tools.attack.areas import AREAS
from tests.tools.attack.registry import attacks_of


def test_every_module_is_an_area() -> None:
    """A module that no run imports would be forgotten."""
    files = Path(attacks.__path__[0]).glob("*.py")
    assert {file.stem for file in files} - {"__init__"} == {*AREAS}


@pytest.mark.parametrize("area", AREAS)
def test_every_attack_has_a_title(area: str) -> None:
    """It stands in the table."""
    found = attacks_of(area)
    assert found
    assert all(each.area == area and 20 < len(each.title) < 110 for each in found)


def test_every_area_is_documented() -> None:
    """The page of attackers names the attacks that were tried."""
    page = (Path(__file__).parents[3] / "docs" / "security.md").read_text()
    missing = [area for area in AREAS if f"`{area}`" not in page]
    assert missing == []
