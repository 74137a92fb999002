"""Django's own tests of its task backends, on the library's backend."""

from pathlib import Path

import pytest

from tests.tools.django_task_tests.run import judge, run


@pytest.mark.slow
@pytest.mark.only_on("sqlite", reason="Django's tests have a database of their own.")
def test_pass(tmp_path: Path) -> None:
    """Each test passes, but for those that are listed with a reason, which fail."""
    verdict = judge(run(tmp_path))
    assert verdict.wrong == {}
    assert len(verdict.passed) >= 60
