"""The page about personal data names what the settings have."""

import re
from pathlib import Path

from django.conf import settings

PAGE = Path(__file__).parents[4] / "docs/how-to/personal-data.md"


def test_table() -> None:
    """Each kind is in the table, with its days."""
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \|", PAGE.read_text(), re.MULTILINE)
    assert {name: int(days) for name, days in rows} == settings.RETENTION_DAYS
