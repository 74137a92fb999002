"""The points at which tests stop a process are functions that are there."""

import pytest
from django.utils.module_loading import import_string

from tests.reliability.points import POINTS


@pytest.mark.parametrize("path", sorted({path for _, path in POINTS.values()}))
def test_exists(path: str) -> None:
    """A function that was renamed would let its process pass."""
    owner, name = path.rsplit(".", 1)
    is_method = not owner.rsplit(".", 1)[-1].islower()
    assert callable(getattr(import_string(owner), name) if is_method else import_string(path))
