"""``manage.py outbox``: what it prints, does and refuses."""

import json
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db.models.functions import Now

from core.models import OutboxCall
from tests.unit.core import effects
from tests.unit.core.calls import MAKE_GROUP, Status, make_call

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def outbox(capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs the command with its arguments; what it printed."""

    def run(*args: Any) -> str:
        call_command("outbox", *map(str, args))
        return capsys.readouterr().out

    return run


class TestStatus:
    """``outbox status``."""

    def test_empty(self, outbox: Any) -> None:
        """Says that there is nothing."""
        assert outbox("status") == "default: oldest due call -\n  the outbox is empty\n"

    def test_table(self, outbox: Any) -> None:
        """A line a task, with its calls by status and the age of the oldest that is due."""
        make_call(available_at=Now() - timedelta(seconds=600))
        make_call(status=Status.RUNNING)
        for _ in range(3):
            make_call(status=Status.DEAD)
        title, header, line = outbox("status").splitlines()
        assert title == "default: oldest due call 10 min"
        assert header.split() == [
            "task",
            "pending",
            "running",
            "uncertain",
            "dead",
            "oldest",
            "due",
        ]
        assert line.split() == [MAKE_GROUP, "1", "1", "0", "3", "10", "min"]
        assert len(header) == len(line)

    def test_seconds(self, outbox: Any) -> None:
        """Ages under two minutes are in seconds."""
        make_call(available_at=Now() - timedelta(seconds=50))
        assert outbox("status").startswith("default: oldest due call 50.")

    def test_unknown_task(self, outbox: Any) -> None:
        """A task that the code doesn't have is marked."""
        make_call(task="gone.tasks.gone")
        make_call()
        lines = outbox("status").splitlines()
        assert [line.endswith("no such task in this code") for line in lines[2:]] == [True, False]

    def test_json(self, outbox: Any) -> None:
        """The same as JSON, with ages in seconds."""
        make_call(available_at=Now() - timedelta(seconds=600))
        status = json.loads(outbox("status", "--json"))
        assert status["default"]["tasks"][MAKE_GROUP]["pending"] == 1
        assert 600 <= status["default"]["oldest_age"] < 610


class TestDrain:
    """``outbox drain``."""

    def test_success(self, outbox: Any) -> None:
        """Settles everything due, and says how much."""
        make_call("a")
        make_call("b")
        assert outbox("drain") == "settled 2, retried 0, dead 0\n"
        assert effects.names() == ["a", "b"]

    def test_nothing(self, outbox: Any) -> None:
        """Is content with nothing to do."""
        assert outbox("drain", "--database", "default") == "settled 0, retried 0, dead 0\n"

    def test_dead_letter(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Settles the others, counts the retries, and fails: it says what to do."""
        effects.act("bad", lambda _: 1 / 0)
        make_call("bad")
        make_call("good")
        with pytest.raises(CommandError, match=r"Became dead letters: 1.*outbox retry") as caught:
            call_command("outbox", "drain")
        assert caught.value.returncode == 1
        assert capsys.readouterr().out == "settled 1, retried 2, dead 1\n"
        assert effects.names() == ["good"]
        assert OutboxCall.objects.get().status == Status.DEAD

    def test_unknown_database(self) -> None:
        """Refuses a database that isn't there, and says which are."""
        with pytest.raises(CommandError, match=r"invalid choice: 'nowhere'.*default"):
            call_command("outbox", "drain", "--database", "nowhere")


OPERATIONS = {"retry": "due again", "discard": "discarded"}


@pytest.mark.parametrize("command", OPERATIONS)
class TestRetryAndDiscard:
    """``outbox retry`` and ``outbox discard``, which choose calls alike."""

    @pytest.fixture
    def held(self) -> list[OutboxCall]:
        """Two dead calls of one task, an uncertain one of another, and a pending one."""
        other = "other.tasks.other"
        return [
            make_call("a", status=Status.DEAD),
            make_call("b", status=Status.DEAD),
            make_call("c", status=Status.UNCERTAIN, task=other),
            make_call("d"),
        ]

    def left(self) -> set[int]:
        """The calls that are still held."""
        held = OutboxCall.objects.filter(status__in=[Status.DEAD, Status.UNCERTAIN])
        return set(held.values_list("pk", flat=True))

    def test_ids(self, command: str, held: list[OutboxCall], outbox: Any) -> None:
        """The calls with these ids."""
        assert outbox(command, held[0].pk, held[2].pk) == f"2 {OPERATIONS[command]}\n"
        assert self.left() == {held[1].pk}

    def test_task(self, command: str, held: list[OutboxCall], outbox: Any) -> None:
        """All of a task."""
        assert outbox(command, "--task", MAKE_GROUP) == f"2 {OPERATIONS[command]}\n"
        assert self.left() == {held[2].pk}

    def test_all(self, command: str, held: list[OutboxCall], outbox: Any) -> None:
        """All that are dead or uncertain; a pending one is not touched."""
        assert outbox(command, "--all") == f"3 {OPERATIONS[command]}\n"
        assert self.left() == set()
        assert OutboxCall.objects.filter(pk=held[3].pk, status=Status.PENDING).exists()

    def test_fail_none(self, command: str, held: list[OutboxCall]) -> None:
        """Refuses to guess which, and says how to choose."""
        with pytest.raises(CommandError, match=f"got none. Say which calls: 'outbox {command} ID"):
            call_command("outbox", command)
        assert len(self.left()) == 3

    def test_fail_two_ways(self, command: str, held: list[OutboxCall]) -> None:
        """Refuses two ways of choosing, and names them."""
        with pytest.raises(CommandError, match=r"Expected either .* got IDs and --all"):
            call_command("outbox", command, str(held[0].pk), "--all")
        with pytest.raises(CommandError, match="got --task and --all"):
            call_command("outbox", command, "--task", MAKE_GROUP, "--all")
        assert len(self.left()) == 3

    def test_fail_unknown(self, command: str, held: list[OutboxCall]) -> None:
        """Refuses all if one isn't there or isn't held, names it, and changes nothing."""
        unknown, pending = held[3].pk + 1000, held[3].pk
        with pytest.raises(CommandError, match=f": {pending}, {unknown}. Nothing was changed"):
            call_command("outbox", command, str(held[0].pk), str(unknown), str(pending))
        assert len(self.left()) == 3

    def test_fail_no_number(self, command: str) -> None:
        """Refuses an id that is no number."""
        with pytest.raises(CommandError, match="invalid int value: 'seven'"):
            call_command("outbox", command, "seven")


def test_no_subcommand() -> None:
    """Without a subcommand it names them."""
    with pytest.raises(CommandError, match="required: command"):
        call_command("outbox")


class TestProcess:
    """The command in a process of its own, as cron runs it."""

    @pytest.fixture
    def run(self, process_environment: dict[str, str]) -> Any:
        """Runs ``manage.py outbox`` with its arguments."""

        def run(*args: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [sys.executable, "manage.py", "outbox", *args],
                cwd=settings.BASE_DIR,
                env=process_environment,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )

        return run

    def test_success(self, run: Any) -> None:
        """Exits with 0; its output is JSON and nothing else."""
        make_call(status=Status.DEAD)
        done = run("status", "--json")
        assert (done.returncode, done.stderr) == (0, "")
        assert json.loads(done.stdout)["default"]["tasks"][MAKE_GROUP]["dead"] == 1

    def test_fail(self, run: Any) -> None:
        """Exits with 1 and the one sentence."""
        done = run("retry")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("CommandError: Expected either IDs, --task or --all")
