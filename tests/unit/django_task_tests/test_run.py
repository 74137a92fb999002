"""The verdict about Django's tests of task backends."""

import pytest

from tests.tools.django_task_tests import run
from tests.tools.django_task_tests.exchange import exchange
from tests.tools.django_task_tests.run import judge


@pytest.fixture(autouse=True)
def _reasons(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "REASONS", {"a.test_no": "why"})
    monkeypatch.setattr(run, "REASONS_OF_BACKPORT", {})


def test_as_expected() -> None:
    """Those pass that should, and those fail that have a reason."""
    verdict = judge({"tasks.a.test_yes": "", "tasks.a.test_no": "Traceback"})
    assert (verdict.passed, verdict.wrong) == (["tasks.a.test_yes"], {})
    assert verdict.not_applicable == {"tasks.a.test_no": "why"}


def test_fails() -> None:
    """A failure without a reason is wrong."""
    verdict = judge({"tasks.a.test_yes": "Traceback", "tasks.a.test_no": "Traceback"})
    assert verdict.wrong == {"tasks.a.test_yes": "Traceback"}
    assert "WRONG: tasks.a.test_yes" in str(verdict)


def test_passes_with_a_reason() -> None:
    """A reason that no longer holds is wrong."""
    assert list(judge({"tasks.a.test_no": ""}).wrong) == ["tasks.a.test_no"]


def test_reason_of_no_test() -> None:
    """A reason for a test that is not there is wrong."""
    assert judge({"tasks.a.test_yes": ""}).wrong == {"a.test_no": "there is no such test"}


def test_exchange() -> None:
    """The backends of Django are exchanged, by import, by path and by name."""
    text = (
        "from django.tasks.backends.dummy import DummyBackend\n"
        "from django.test import SimpleTestCase, TransactionTestCase, override_settings\n"
        '"django.tasks.backends.immediate.ImmediateBackend"\n'
    )
    ours = "tests.tools.django_task_tests.project.backends"
    assert exchange(text, is_backport=False).splitlines() == [
        f"from {ours} import StoredBackend",
        "from django.test import TransactionTestCase, override_settings",
        f'"{ours}.DrainedBackend"',
    ]
