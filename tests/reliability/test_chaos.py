"""A short chaos: under traffic and faults nothing is lost, nothing doubled, and no call stuck."""

from pathlib import Path

import pytest

from tests.tools.chaos.report import lines
from tests.tools.chaos.run import Run
from tests.tools.chaos.system import POSTGRES, SQLITE, System

SEED = 20
SECONDS = {POSTGRES: 40.0, SQLITE: 15.0}
"""Of traffic; the start and the way to rest take as long again."""


@pytest.mark.slow
@pytest.mark.only_on("postgres", "sqlite", reason="the chaos has servers of these alone")
# What is cut off in the middle leaves its client's or its mail server's socket to the collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_nothing_is_lost_doubled_or_stuck(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """Whatever is killed, frozen or cut off: each effect of what committed happens, once.

    A call that fails for good, or hangs, is a dead letter in the end, and no other is.
    """
    database = pytestconfig.getoption("--database")
    with System(database, tmp_path, SEED) as system:
        result = Run(system, database, SECONDS[database], print).perform()
    assert not result.problems, "\n".join(lines(result))
    assert result.operations
    assert result.evidence.own
    assert len(result.injections) > 5
