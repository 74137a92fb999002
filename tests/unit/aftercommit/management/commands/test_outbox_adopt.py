"""``manage.py outbox adopt``, and the checks before any subcommand."""

import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import Error, register, registry
from django.core.management import CommandError, call_command
from django.core.management.base import SystemCheckError

from tests.unit.aftercommit.adopt.conftest import Project, _tasks, project

__all__ = ["_tasks", "project"]  # fixtures: pytest finds them by name

RECEIVERS = """
from django.db.models.signals import post_save
from django.dispatch import receiver
from celery import shared_task

@shared_task
def notify(pk): ...

@receiver(post_save)
def saved(instance, **kwargs):
    notify.delay(instance.pk)
"""


@pytest.fixture
def adopt(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Any:
    """Run the command over a project with a receiver, and return what it printed."""
    project.write("shop/receivers.py", RECEIVERS)
    monkeypatch.chdir(project.folder)

    def run(*options: str) -> str:
        call_command("outbox", "adopt", str(project.folder), *options)
        return capsys.readouterr().out

    return run


class TestAdopt:
    """``outbox adopt``."""

    def test_text(self, adopt: Any) -> None:
        """Each place is printed with its line and what to write, and then a summary."""
        said = adopt()
        assert "Sent by a receiver, a model or an app" in said
        assert "  shop/receivers.py:10  notify.delay(instance.pk)\n" in said
        assert "      → Write notify.delay_on_commit(…).\n" in said
        assert said.endswith("1 found in 1 files: 1 receiver.\n")

    def test_json(self, adopt: Any, project: Project) -> None:
        """The same as JSON."""
        said = json.loads(adopt("--json"))
        assert said["counts"] == {"receiver": 1}
        assert said["findings"] == [
            {
                "kind": "receiver",
                "path": str(project.folder / "shop/receivers.py"),
                "line": 10,
                "source": "notify.delay(instance.pk)",
                "advice": "Write notify.delay_on_commit(…).",
            }
        ]

    def test_check(self, adopt: Any, project: Project) -> None:
        """With ``--check`` the command fails until nothing is found any more."""
        with pytest.raises(SystemExit) as error:
            adopt("--check")
        assert error.value.code == 1
        text = RECEIVERS.replace("notify.delay(", "notify.delay_on_commit(")
        project.write("shop/receivers.py", text)
        assert "0 found in 1 files." in adopt("--check")

    def test_any_terminal(self, adopt: Any, project: Project) -> None:
        """What a terminal can't show, as a name that is no UTF-8, is printed as escapes."""
        Path(project.folder, os.fsdecode(b"\xff.py")).write_text("def (")
        assert "Not read: \\udcff.py: SyntaxError" in adopt()
        out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
        call_command("outbox", "adopt", str(project.folder), stdout=out)
        out.seek(0)
        assert "\\u2192 Write notify.delay_on_commit(\\u2026)." in out.read()

    def test_no_such_path(self) -> None:
        """A path that isn't there is refused."""
        with pytest.raises(CommandError, match="There is no no/such"):
            call_command("outbox", "adopt", "no/such")

    def test_this_project(self, capsys: pytest.CaptureFixture[str], settings: Any) -> None:
        """The site that comes with the library is durable."""
        paths = [str(settings.BASE_DIR / name) for name in ("content", "notifications", "audit")]
        call_command("outbox", "adopt", *paths)
        assert " 0 found in" in f" {capsys.readouterr().out}"

    def test_changes_nothing(self, adopt: Any, project: Project) -> None:
        """No file is written."""
        adopt()
        assert [path.name for path in project.folder.rglob("*.py")] == ["receivers.py"]
        assert Path(project.folder, "shop/receivers.py").read_text() == RECEIVERS.lstrip()


@pytest.mark.django_db
class TestChecks:
    """The system checks before a subcommand."""

    def test_quiet(self, capsys: pytest.CaptureFixture[str], settings: Any) -> None:
        """No advice stands before the answer."""
        settings.MIDDLEWARE = []  # which makes advice
        call_command("outbox", "status", skip_checks=False)
        assert capsys.readouterr().err == ""

    def test_error(self, settings: Any) -> None:
        """An error of the library's checks stops the command, unless the checks are skipped."""
        settings.OUTBOX_EVENTS = "nothing"
        with pytest.raises(SystemCheckError, match=r"aftercommit\.E016"):
            call_command("outbox", "status", skip_checks=False)
        call_command("outbox", "status", skip_checks=True)

    def test_silenced(self, settings: Any) -> None:
        """A silenced error stops nothing."""
        settings.OUTBOX_EVENTS = "nothing"
        settings.SILENCED_SYSTEM_CHECKS = ["aftercommit.E016"]
        call_command("outbox", "status", skip_checks=False)

    def test_other_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """An error of somebody else's check doesn't keep an operator from the outbox."""
        checks = set(registry.registry.registered_checks)
        monkeypatch.setattr(registry.registry, "registered_checks", checks)
        register(lambda **kwargs: [Error("broken", id="other.E001")], "models")
        call_command("outbox", "status", skip_checks=False)

    def test_adopt(self, capsys: pytest.CaptureFixture[str], settings: Any, tmp_path: Path) -> None:
        """An error doesn't stop ``adopt``, which lists it."""
        settings.OUTBOX_EVENTS = "nothing"
        call_command("outbox", "adopt", str(tmp_path), skip_checks=False)
        assert "(aftercommit.E016)" in capsys.readouterr().out
