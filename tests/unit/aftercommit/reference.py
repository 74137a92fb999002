"""Read the tables of the pages of the reference."""

import ast
import re
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[3]
REFERENCE = PROJECT / "docs" / "reference"


def rows(page: str, section: str = "") -> list[list[str]]:
    """Return the cells of all rows of the page's tables, or of one section of it."""
    text = (REFERENCE / page).read_text()
    if section:
        text = text.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def in_code(cell: str) -> list[str]:
    """Return what a cell shows as code."""
    return re.findall(r"`([^`]+)`", cell)


def defaults(page: str, section: str = "") -> dict[str, Any]:
    """Return the defaults by name: of tables with the columns name, type, default and meaning."""
    tables = [cells for cells in rows(page, section) if len(cells) == 4]
    return {in_code(cells[0])[0]: value_of(cells[2]) for cells in tables}


def value_of(cell: str) -> Any:
    """Return the value that the cell shows as code, or its text."""
    found = in_code(cell)
    return ast.literal_eval(found[0]) if found else cell
