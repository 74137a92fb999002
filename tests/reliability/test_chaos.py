"""A short chaos: the whole system under traffic and faults loses nothing and doubles nothing."""

from pathlib import Path

import pytest

from tests.reliability.chaos.report import lines
from tests.reliability.chaos.run import Run
from tests.reliability.chaos.system import POSTGRES, SQLITE, System

SEED = 20
SECONDS = {POSTGRES: 40.0, SQLITE: 15.0}
"""Of traffic; the start and the way to rest take as long again."""


# What is cut off in the middle leaves its client's or its mail server's socket to the collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_nothing_is_lost_or_doubled(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """Whatever is killed, stopped or cut off: each effect of what committed happens, once."""
    database = pytestconfig.getoption("--database")
    with System(database, tmp_path, SEED) as system:
        result = Run(system, database, SECONDS[database], print).perform()
    assert not result.problems, "\n".join(lines(result))
    assert result.operations
    assert len(result.injections) > 5
