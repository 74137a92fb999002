"""``manage.py outbox``: what it prints, does and refuses."""

import io
import json
import os
import pwd
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models.functions import Now

from aftercommit.management.system_user import system_user
from aftercommit.models import OutboxBatch, OutboxCall, OutboxWorker
from aftercommit.operations import health_checks
from aftercommit.operations.health_checks import Findings
from aftercommit.worker.drain import drain_all
from audit.models import AuditLog
from tests.unit.aftercommit import effects
from tests.unit.aftercommit.ages import in_tens
from tests.unit.aftercommit.calls import MAKE_GROUP, Status, make_call

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def outbox(capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs the command with its arguments; what it printed."""

    def run(*args: Any) -> str:
        call_command("outbox", *map(str, args))
        return capsys.readouterr().out

    return run


@pytest.fixture
def no_tables() -> Iterator[None]:
    """Have the tables of the outbox be elsewhere, as before the first migrate."""
    models = [OutboxCall, OutboxWorker, OutboxBatch]

    def rename(old: str, new: str) -> None:
        with connection.schema_editor() as editor:
            for model in models:
                name = model._meta.db_table
                editor.alter_db_table(model, name + old, name + new)

    rename("", "_away")
    yield
    rename("_away", "")


@pytest.mark.every_database
@pytest.mark.parametrize(
    "line",
    ["status", "status --json", "drain", "retry --all --yes", "retry 1", "discard --all --dry-run"],
)
def test_no_tables(no_tables: None, outbox: Any, line: str) -> None:
    """Where migrations are missing, each subcommand says so in a sentence."""
    with pytest.raises(CommandError, match=r"aftercommit_outbox\w+(.|\n)*manage.py migrate"):
        outbox(*line.split())


def test_no_tables_to_be_healthy(no_tables: None, outbox: Any) -> None:
    """So does the health, which goes on to the other databases."""
    with pytest.raises(CommandError, match="that migrations are applied"):
        outbox("health")


class Terminal(io.StringIO):
    """A terminal at which a person types; what happens before they do is called first."""

    def __init__(self, typed: str, before: Callable[[], Any]) -> None:
        super().__init__(typed)
        self.before = before

    def isatty(self) -> bool:
        """Yes."""
        return True

    def readline(self, *args: Any) -> Any:
        """The next line."""
        self.before()
        return super().readline(*args)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Has a person type this, after something else happened: ``terminal("y\\n", happens)``."""

    def use(typed: str, before: Callable[[], Any] = lambda: None) -> None:
        monkeypatch.setattr(sys, "stdin", Terminal(typed, before))

    return use


@pytest.fixture(autouse=True)
def checks(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The health checks of apps: none but those that the test registers."""
    registered: dict[str, Any] = {}
    monkeypatch.setattr(health_checks, "_checks", registered)
    return registered


@pytest.fixture(autouse=True)
def _no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is at a terminal, also where the tests are run from one."""
    monkeypatch.setattr(sys, "stdin", io.StringIO())


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
        assert in_tens(outbox("status")).startswith("default: oldest due call 50 s\n")

    def test_failing(self, outbox: Any) -> None:
        """The number of calls that wait for another attempt stands behind their task."""
        make_call(attempts=1, failing_since=Now())
        make_call()
        make_call(status=Status.DEAD)
        assert outbox("status").splitlines()[2].endswith("  failing: 1")
        assert (
            json.loads(outbox("status", "--json"))["default"]["tasks"][MAKE_GROUP]["failing"] == 1
        )

    def test_unknown_task(self, outbox: Any) -> None:
        """A task that the code doesn't have is marked."""
        make_call(task="gone.tasks.gone")
        make_call()
        lines = outbox("status").splitlines()
        assert [line.endswith("no such task in this code") for line in lines[2:]] == [True, False]

    def test_checks(self, outbox: Any, checks: dict[str, Any]) -> None:
        """What the apps' own health checks count has a line each, beside an empty outbox too."""
        checks |= {"mails": lambda using: Findings({"failed": 3, "uncertain": 1})}
        checks |= {"broken": lambda using: 1 / 0}
        assert outbox("status").splitlines()[1:] == [
            "  the outbox is empty",
            "  mails: 3 failed, 1 uncertain",
            "  broken: error: ZeroDivisionError",
        ]

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
        counts, failure = capsys.readouterr().out.splitlines()  # a line a call, not an attempt
        assert counts == "settled 1, retried 2, dead 1"
        assert failure.split()[1] == "dead:"
        assert failure.endswith("ZeroDivisionError: division by zero")
        assert effects.names() == ["good"]
        assert OutboxCall.objects.get().status == Status.DEAD

    def test_unknown_database(self) -> None:
        """Refuses a database that isn't there, and says which are."""
        with pytest.raises(CommandError, match=r"invalid choice: 'nowhere'.*default"):
            call_command("outbox", "drain", "--database", "nowhere")


OPERATIONS = {"retry": "due again", "discard": "discarded"}


class TestShow:
    """``outbox show``."""

    def test_what_needs_a_look(self, outbox: Any) -> None:
        """Shows the calls that failed, with their attempts and the last line of their error."""
        assert outbox("show") == "No such calls.\n"
        make_call("waits")
        failing = make_call(attempts=2, failing_since=Now(), error="Traceback\nOSError: refused")
        dead = make_call(status=Status.DEAD, attempts=9, error="ValueError: no")
        lines = outbox("show").splitlines()
        assert len(lines) == 2
        assert lines[0].startswith(f"#{failing.pk} {MAKE_GROUP}, pending, attempts 2, made ")
        assert lines[0].endswith(": OSError: refused")
        assert lines[1].startswith(f"#{dead.pk} {MAKE_GROUP}, dead, attempts 9, made ")

    def test_one(self, outbox: Any) -> None:
        """Shows the whole error of a call that is named, whatever its status."""
        call = make_call(error="Traceback\nOSError: refused")
        lines = outbox("show", call.pk).splitlines()
        assert lines[1:] == ["    Traceback", "    OSError: refused"]

    def test_properties(self, outbox: Any) -> None:
        """Shows calls of any status that have the properties."""
        make_call("a")
        make_call("b", task="other.tasks.other")
        (line,) = outbox("show", "--task", MAKE_GROUP, "--older-than", "0s").splitlines()
        assert f" {MAKE_GROUP}, pending, " in line

    def test_limit(self, outbox: Any) -> None:
        """Says how many it leaves out."""
        for _ in range(3):
            make_call(status=Status.DEAD)
        assert outbox("show", "--limit", 1).splitlines()[1:] == ["and 2 more"]

    @pytest.mark.parametrize("options", [["--limit", "0"], ["--error", ""]])
    def test_refused(self, outbox: Any, options: list[str]) -> None:
        """A limit of no calls, and an error that every error contains."""
        with pytest.raises(CommandError):
            outbox("show", *options)


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
        done = outbox(command, held[0].pk, held[2].pk, "--yes")
        assert done == f"2 {OPERATIONS[command]}\n"
        assert self.left() == {held[1].pk}

    def test_task(self, command: str, held: list[OutboxCall], outbox: Any) -> None:
        """All of a task."""
        assert outbox(command, "--task", MAKE_GROUP, "--yes") == f"2 {OPERATIONS[command]}\n"
        assert self.left() == {held[2].pk}

    def test_task_without_calls(self, command: str, outbox: Any) -> None:
        """None of a task that has none: that is no error."""
        assert outbox(command, "--task", MAKE_GROUP, "--yes") == f"0 {OPERATIONS[command]}\n"

    def test_fail_task(self, command: str, held: list[OutboxCall]) -> None:
        """Refuses a task that neither the code nor a held call has, and says what is meant."""
        with pytest.raises(CommandError, match=r"no task 'othr\.tasks\.other'.*mean other\.tasks"):
            call_command("outbox", command, "--task", "othr.tasks.other", "--yes")
        with pytest.raises(CommandError, match=r"no task 'zzz', and .* See 'outbox status'"):
            call_command("outbox", command, "--task", "zzz", "--yes")
        assert len(self.left()) == 3

    def test_error(self, command: str, held: list[OutboxCall], outbox: Any) -> None:
        """Those with a text in their error, in any case."""
        OutboxCall.objects.filter(pk=held[0].pk).update(error="Traceback\nSMTPError: 100% Full")
        OutboxCall.objects.filter(pk=held[3].pk).update(error="SMTPError: 100% Full")
        assert outbox(command, "--error", "100% full", "--yes") == f"1 {OPERATIONS[command]}\n"
        assert self.left() == {held[1].pk, held[2].pk}

    def test_fail_error(self, command: str, held: list[OutboxCall]) -> None:
        """Refuses an empty text, which every error contains."""
        with pytest.raises(CommandError, match="--error is empty"):
            call_command("outbox", command, "--error", "", "--yes")
        assert len(self.left()) == 3

    @pytest.mark.parametrize("age", ["7000", "7000s", "110m", "1h"])
    def test_older_than(self, command: str, held: list[OutboxCall], outbox: Any, age: str) -> None:
        """Those that were made so long ago, by the database's clock."""
        made = Now() - timedelta(hours=2)
        OutboxCall.objects.filter(pk__in=[held[1].pk, held[3].pk]).update(created_at=made)
        assert outbox(command, "--older-than", "3h", "--yes") == f"0 {OPERATIONS[command]}\n"
        assert outbox(command, "--older-than", "1d", "--yes") == f"0 {OPERATIONS[command]}\n"
        assert outbox(command, "--older-than", age, "--yes") == f"1 {OPERATIONS[command]}\n"
        assert self.left() == {held[0].pk, held[2].pk}

    @pytest.mark.parametrize("age", ["", "h", "2 h", "-1h", "1w", "1h30m", "36501d"])
    def test_fail_older_than(self, command: str, held: list[OutboxCall], age: str) -> None:
        """Refuses what is no age, and shows how to write one."""
        with pytest.raises(CommandError, match=r"is no age\. Expected such as 90s, 10m, 2h or 3d"):
            call_command("outbox", command, f"--older-than={age}", "--yes")
        assert len(self.left()) == 3

    def test_several_ways(self, command: str, held: list[OutboxCall], outbox: Any) -> None:
        """Only those that meet all that is given."""
        OutboxCall.objects.filter(pk__in=[held[0].pk, held[2].pk]).update(error="It broke.")
        done = outbox(command, "--task", MAKE_GROUP, "--error", "broke", "--yes")
        assert done == f"1 {OPERATIONS[command]}\n"
        assert self.left() == {held[1].pk, held[2].pk}

    def test_all(self, command: str, held: list[OutboxCall], outbox: Any) -> None:
        """All that are dead or uncertain; a pending one is not touched."""
        assert outbox(command, "--all", "--yes") == f"3 {OPERATIONS[command]}\n"
        assert self.left() == set()
        assert OutboxCall.objects.filter(pk=held[3].pk, status=Status.PENDING).exists()

    def test_fail_none(self, command: str, held: list[OutboxCall]) -> None:
        """Refuses to guess which, and says how to choose."""
        with pytest.raises(CommandError, match=r"which calls, got nothing\. Give ID .*or --all"):
            call_command("outbox", command, "--yes")
        assert len(self.left()) == 3

    def test_fail_all_and_some(self, command: str, held: list[OutboxCall]) -> None:
        """Refuses all and some at once, and names what was given."""
        with pytest.raises(CommandError, match=r"--all alone, or without it IDs and --task;"):
            call_command("outbox", command, str(held[0].pk), "--task", MAKE_GROUP, "--all", "--yes")
        assert len(self.left()) == 3

    def test_fail_unknown(self, command: str, held: list[OutboxCall]) -> None:
        """Refuses all if one isn't there or isn't held, names it, and changes nothing."""
        unknown, pending = held[3].pk + 1000, held[3].pk
        with pytest.raises(CommandError, match=f": {pending}, {unknown}. Nothing was changed"):
            ids = (str(held[0].pk), str(unknown), str(pending))
            call_command("outbox", command, *ids, "--yes")
        assert len(self.left()) == 3

    def test_fail_id_of_another(self, command: str, held: list[OutboxCall]) -> None:
        """Refuses an id that the other options exclude."""
        with pytest.raises(CommandError, match=f"not what the options say: {held[2].pk}. Nothing"):
            call_command("outbox", command, held[2].pk, "--task", MAKE_GROUP, "--yes")
        assert len(self.left()) == 3

    def test_dry_run(self, command: str, held: list[OutboxCall], outbox: Any) -> None:
        """Shows how many of each task and status, and the oldest, and changes nothing."""
        OutboxCall.objects.filter(pk=held[1].pk).update(error="Traceback\nValueError: no\n")
        for _ in range(4):
            make_call(status=Status.DEAD)
        lines = outbox(command, "--all", "--dry-run").splitlines()
        assert lines[:2] == [f"1 of {held[2].task}, uncertain", f"6 of {MAKE_GROUP}, dead"]
        assert lines[2].startswith(f"  #{held[0].pk} {MAKE_GROUP}, dead, attempts 0, made 20")
        assert lines[2].endswith(": no error")
        assert lines[3].endswith(": ValueError: no")
        assert lines[7:] == [
            "  and 2 more",
            f"Nothing was changed: 7 would be {OPERATIONS[command]}.",
        ]
        assert len(self.left()) == 7

    def test_dry_run_of_nothing(self, command: str, outbox: Any) -> None:
        """Says that there is nothing."""
        assert outbox(command, "--all", "--dry-run").startswith("No such calls.\nNothing was")

    @pytest.mark.parametrize("answer", ["y\n", "YES\n"])
    def test_confirmed(
        self, command: str, held: list[OutboxCall], terminal: Any, outbox: Any, answer: str
    ) -> None:
        """Asks on a terminal, having shown which, and does it on a yes."""
        terminal(answer)
        text = outbox(command, "--all")
        assert f"2 of {MAKE_GROUP}, dead\n" in text
        assert text.endswith(f"{command.capitalize()} 3? [y/N] 3 {OPERATIONS[command]}\n")
        assert self.left() == set()

    @pytest.mark.parametrize("answer", ["\n", "n\n", "yup\n", ""])
    def test_fail_not_confirmed(
        self, command: str, held: list[OutboxCall], terminal: Any, answer: str
    ) -> None:
        """Does nothing on any other answer, or the end of the input."""
        terminal(answer)
        with pytest.raises(CommandError, match=r"^Nothing was changed\.$"):
            call_command("outbox", command, "--all")
        assert len(self.left()) == 3

    def test_only_what_was_shown(
        self, command: str, held: list[OutboxCall], terminal: Any, outbox: Any
    ) -> None:
        """Leaves a call that has died since it asked."""
        late: list[int] = []
        terminal("y\n", lambda: late.append(make_call(status=Status.DEAD).pk))
        assert outbox(command, "--all").endswith(f" 3 {OPERATIONS[command]}\n")
        assert self.left() == set(late)

    def test_settled_since(
        self, command: str, held: list[OutboxCall], terminal: Any, outbox: Any
    ) -> None:
        """Leaves a call that was settled since it asked, and says so."""
        terminal("y\n", lambda: OutboxCall.objects.filter(pk=held[2].pk).delete())
        text = outbox(command, "--all")
        assert text.endswith(f" 2 {OPERATIONS[command]}, 1 settled or taken meanwhile\n")

    def test_nothing_to_confirm(self, command: str, terminal: Any, outbox: Any) -> None:
        """Asks nothing where there is nothing to do."""
        terminal("")
        assert outbox(command, "--all") == f"No such calls.\n0 {OPERATIONS[command]}\n"

    def test_fail_no_terminal(self, command: str, held: list[OutboxCall]) -> None:
        """Without a terminal and --yes it changes nothing, and says what to add."""
        with pytest.raises(CommandError, match=r"nobody is here to confirm\. Add --yes"):
            call_command("outbox", command, "--all")
        assert len(self.left()) == 3

    def test_log(self, command: str, held: list[OutboxCall], outbox: Any) -> None:
        """The log names the system's user who did it."""
        outbox(command, "--all", "--yes")
        drain_all()
        logs = AuditLog.objects.filter(model_label="aftercommit.outboxcall")
        assert {int(log.object_id) for log in logs} == {call.pk for call in held[:3]}
        assert {log.user_label for log in logs} == {system_user()}
        assert set(logs.values_list("user", "request_id", "address")) == {(None, "", "")}

    def test_fail_no_number(self, command: str) -> None:
        """Refuses an id that is no number."""
        with pytest.raises(CommandError, match="invalid int value: 'seven'"):
            call_command("outbox", command, "seven")


class TestQuestion:
    """What retry and discard say before a person answers."""

    def test_retry_of_uncertain_calls(self, terminal: Any, outbox: Any) -> None:
        """That they may have their effect twice."""
        make_call(status=Status.UNCERTAIN)
        terminal("y\n")
        assert "\nUncertain: 1. Each may have had its effect" in outbox("retry", "--all")

    def test_retry_of_an_unknown_task(self, terminal: Any, outbox: Any) -> None:
        """That this code doesn't have the task."""
        make_call(status=Status.DEAD, task="gone.tasks.gone")
        terminal("y\n")
        assert "\nNo task gone.tasks.gone in this code." in outbox("retry", "--all")

    def test_discard_of_an_unknown_task(self, terminal: Any, outbox: Any) -> None:
        """That pending calls wait for a task that a deploy may bring back."""
        make_call(task="gone.tasks.gone")
        terminal("y\n")
        text = outbox("discard", "--task", "gone.tasks.gone")
        assert text.startswith("1 of gone.tasks.gone, pending\n")
        assert "\nPending: 1 of gone.tasks.gone, which neither this code nor a live" in text
        assert text.endswith("Discard 1? [y/N] 1 discarded\n")


class TestDiscardUnknownTask:
    """``outbox discard`` of calls that wait for a task that nobody has."""

    def test_id(self, outbox: Any) -> None:
        """Takes such a call by its id."""
        call = make_call(task="gone.tasks.gone")
        assert outbox("discard", call.pk, "--yes") == "1 discarded\n"

    def test_task(self, outbox: Any) -> None:
        """Takes them by their task, dead and pending ones."""
        make_call(task="gone.tasks.gone")
        make_call(task="gone.tasks.gone", status=Status.DEAD)
        assert outbox("discard", "--task", "gone.tasks.gone", "--yes") == "2 discarded\n"

    def test_not_by_others(self, outbox: Any) -> None:
        """Leaves them where they aren't named: another service may be about to run them."""
        call = make_call(task="gone.tasks.gone", error="It broke.")
        for choice in (["--all"], ["--error", "broke"], ["--older-than", "0"]):
            assert outbox("discard", *choice, "--yes") == "0 discarded\n"
        assert OutboxCall.objects.get() == call

    def test_fail_known(self) -> None:
        """Refuses a pending call of a task that there is, and says which it accepts."""
        call = make_call()
        said = "Only dead and uncertain calls can be discarded, and pending ones whose task neither"
        with pytest.raises(CommandError, match=said):
            call_command("outbox", "discard", str(call.pk), "--yes")
        assert OutboxCall.objects.get() == call

    def test_fail_retry(self) -> None:
        """Can't be retried: they are due already."""
        make_call(task="gone.tasks.gone")
        said = r"no task 'gone\.tasks\.gone', and no call of one that can be made due again"
        with pytest.raises(CommandError, match=said):
            call_command("outbox", "retry", "--task", "gone.tasks.gone", "--yes")

    def test_log(self, outbox: Any) -> None:
        """The log has what was discarded."""
        call = make_call(task="gone.tasks.gone")
        outbox("discard", call.pk, "--yes")
        drain_all()
        values = AuditLog.objects.get(object_id=call.pk).changes["deleted_values"]
        assert (values["task"], values["status"]) == ("gone.tasks.gone", "pending")


class TestSystemUser:
    """Who the log says ran the command."""

    def test_name(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The owner of the process, and its host; the environment's LOGNAME is not asked."""
        monkeypatch.delenv("SUDO_USER", raising=False)
        monkeypatch.setenv("LOGNAME", "somebody else")
        name = pwd.getpwuid(os.getuid()).pw_name
        assert system_user() == f"{name}@{socket.gethostname()}"

    def test_sudo(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Who called sudo, and as whom."""
        monkeypatch.setenv("SUDO_USER", "mara")
        assert system_user().startswith("mara as ")

    def test_without_a_name(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A user whom the system has no name for is called by the number."""
        monkeypatch.delenv("SUDO_USER", raising=False)
        monkeypatch.setattr(os, "getuid", lambda: 3_999_999)
        assert system_user() == f"uid 3999999@{socket.gethostname()}"


class TestHealth:
    """``outbox health``."""

    @pytest.fixture(autouse=True)
    def _patient(self, settings: Any) -> None:
        """A slow machine has its time to answer."""
        settings.OUTBOX_HEALTH_SECONDS = 30

    def test_fine(self, outbox: Any) -> None:
        """Says how it stands."""
        expected = "default: oldest due call -, workers alive 0, held none\n"
        assert outbox("health") == expected

    def test_notes(self, outbox: Any) -> None:
        """Names what a person should look at, and does not fail for it."""
        make_call(status=Status.DEAD)
        OutboxWorker.objects.create(
            name="lost@web", host="web", pid=1, seen_at=Now() - timedelta(seconds=100)
        )
        first, worker, dead = outbox("health").splitlines()
        assert first == "default: oldest due call -, workers alive 0, held 1 dead"
        assert in_tens(worker).startswith(
            "Note: lost@web was last seen in 'default' 100 s ago, over the"
        )
        assert dead.startswith("Note: Calls in 'default' that are dead: 1.")

    def test_checks(self, outbox: Any, checks: dict[str, Any]) -> None:
        """What the apps' own checks count is in the database's line, their notes below."""
        checks["mails"] = lambda using: Findings({"failed": 3}, notes=["Look at the mails."])
        first, note = outbox("health").splitlines()
        assert first.endswith("held none; mails 3 failed")
        assert note == "Note: Look at the mails."

    def test_fail(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Fails for a problem, in a sentence: what, how much, the limit, what to do."""
        make_call(available_at=Now() - timedelta(seconds=100))
        with pytest.raises(CommandError) as caught:
            call_command("outbox", "health")
        assert caught.value.returncode == 1
        old, no_worker = str(caught.value).splitlines()
        assert in_tens(old) == (
            f"The oldest due call of {MAKE_GROUP} in 'default' is 100 s old, over the limit of "
            "60 s. See that its worker runs, and what it logs."
        )
        assert no_worker.startswith("No worker lives that settles calls in 'default', and calls")
        assert in_tens(capsys.readouterr().out).startswith("default: oldest due call 100 s, ")

    def test_json(self, outbox: Any, capsys: pytest.CaptureFixture[str]) -> None:
        """As JSON, whether it is fine or not."""
        assert json.loads(outbox("health", "--json"))["ready"] is True
        make_call(available_at=Now() - timedelta(seconds=100))
        with pytest.raises(CommandError):
            call_command("outbox", "health", "--json")
        health = json.loads(capsys.readouterr().out)
        assert (health["ready"], len(health["problems"])) == (False, 2)


def test_no_subcommand() -> None:
    """Without a subcommand it names them."""
    with pytest.raises(CommandError, match="required: command"):
        call_command("outbox")


@pytest.mark.slow
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
                stdin=subprocess.DEVNULL,
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
        assert done.stderr.startswith("CommandError: Expected to be told which calls")

    def test_cron(self, run: Any) -> None:
        """Retries without a terminal, given --yes."""
        make_call(status=Status.DEAD)
        assert run("retry", "--all").returncode == 1
        done = run("retry", "--all", "--yes")
        assert (done.returncode, done.stdout, done.stderr) == (0, "1 due again\n", "")

    def test_health(self, run: Any) -> None:
        """Exits with 0 if all is well, else with 1 and what is wrong."""
        assert run("health").returncode == 0
        make_call(available_at=Now() - timedelta(seconds=100))
        done = run("health")
        assert done.returncode == 1
        assert done.stderr.startswith(f"CommandError: The oldest due call of {MAKE_GROUP}")


class TestTerminal:
    """Names and errors in the database are whoever's can write there."""

    ORDER = "t\x1b[2J\x9b2J"

    @pytest.fixture(autouse=True)
    def _hostile(self) -> None:
        """Calls, due and dead, of a task whose name and error have orders for a terminal."""
        make_call(task=self.ORDER, available_at=Now() - timedelta(hours=1))
        make_call(task=self.ORDER, status=Status.DEAD, error=f"ValueError: {self.ORDER}")

    @pytest.mark.parametrize(
        "args",
        [("status",), ("health",), ("retry", "--all", "--dry-run"), ("discard", "--all", "--yes")],
    )
    def test_no_orders(self, args: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
        """None gets out, neither printed nor as an error; the name is shown with escapes."""
        said = ""
        try:
            call_command("outbox", *args)
        except CommandError as error:
            said = str(error)
        printed = capsys.readouterr().out + said
        assert not {"\x1b", "\x9b"} & {*printed}
        assert r"\x1b[2J" in printed or args[0] in ("discard", "health")
