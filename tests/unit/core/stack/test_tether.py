"""A tethered command ends with the process that started it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from core.stack.tether import tethered
from core.stack.waiting import wait_until
from tests.unit.core.stack.fakes import READY_WITHIN, lines_of, python, serving
from tests.unit.core.stack.test_process import is_running

ROOT = Path(__file__).resolve().parents[4]


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux tells a process of its parent's end"
)
def test_a_killed_parent_takes_it_along(tmp_path: Path) -> None:
    """Even SIGKILL, at which a parent can do nothing any more."""
    journal = tmp_path / "journal"
    code = """
        import json, signal, subprocess, sys
        from core.stack.tether import tethered
        print(subprocess.Popen(tethered(json.loads(sys.argv[1]))).pid, flush=True)
        signal.pause()
        """
    command = json.dumps([str(part) for part in serving("child", journal).command])
    with subprocess.Popen(
        python(code, command), stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        wait_until(lambda: "started child" in lines_of(journal), READY_WITHIN, "the child")
        parent.kill()
    wait_until(lambda: "finished child" in lines_of(journal), READY_WITHIN, "the child's end")
    wait_until(lambda: not is_running(child), READY_WITHIN, "the child's end")


def test_the_command_keeps_its_arguments_and_exit_code() -> None:
    """It becomes the command: same arguments, same environment, same process."""
    code = "import os, sys; print(sys.argv[1], os.environ['WORD']); sys.exit(7)"
    ran = subprocess.run(
        tethered(python(code, "a b")),
        env={"WORD": "c"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (7, "a b c\n")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_root_can_run_it_as_another_user() -> None:
    """User and group, and no other groups."""
    ran = subprocess.run(
        tethered(["id"], signal.SIGTERM, (65534, 65534)), capture_output=True, text=True, check=True
    )
    assert ran.stdout.startswith("uid=65534")
    assert "groups=65534" in ran.stdout
    assert "(root)" not in ran.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists a process's signals so")
def test_no_signal_is_ignored_or_blocked() -> None:
    """Whatever its parent ignores or blocks: a shell's background jobs, for one, ignore SIGINT."""

    def inherit() -> None:
        for each in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(each, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())

    ran = subprocess.run(
        tethered(["grep", "-E", "Sig(Ign|Blk)", "/proc/self/status"]),
        preexec_fn=inherit,  # this process has no other threads
        capture_output=True,
        text=True,
        check=True,
    )
    names, masks = ran.stdout.split()[::2], ran.stdout.split()[1::2]
    assert names == ["SigBlk:", "SigIgn:"]
    # The C library keeps two signals for itself; whatever is inherited of those stays.
    ours = sum(1 << (each - 1) for each in signal.valid_signals())
    assert [int(mask, 16) & ours for mask in masks] == [0, 0]
