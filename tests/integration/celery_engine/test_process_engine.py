"""The engine that runs containers as processes, where it must do as Docker does."""

import io
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from docker.errors import APIError, DockerException, NotFound

from core.stack.waiting import wait_until
from tests.celery_engine.container import ProcessContainer
from tests.celery_engine.engine import ProcessEngine
from tests.celery_engine.process import is_alive
from tests.celery_engine.spec import signal_number

SLEEP = ["python", "-c", "import time; print('up', flush=True); time.sleep(600)"]
SHELL_SLEEP = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("up", flush=True)
time.sleep(600)
"""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[ProcessEngine]:
    """An engine of the test's own, whatever --celery-engine says."""
    engine = ProcessEngine(tmp_path)
    yield engine
    engine.close()


def run(engine: ProcessEngine, command: list[str], **options: object) -> ProcessContainer:
    """A container that has printed its first line."""
    container = engine.containers.run("any", command, detach=True, **options)
    wait_until(container.logs, 10, "a line in the log")
    return container


class TestLife:
    """A container's states."""

    def test_states(self, engine: ProcessEngine) -> None:
        """``created``, ``running``, ``exited``: each seen at a reload."""
        container = engine.containers.create("any", SLEEP)
        assert container.status == "created"
        container.start()
        assert container.status == "created"
        container.reload()
        assert container.status == "running"
        container.kill()
        container.reload()
        assert container.status == "exited"
        assert container.wait()["StatusCode"] == 128 + signal.SIGKILL

    def test_children_end_with_the_first_process(self, engine: ProcessEngine) -> None:
        """Nothing that a container started outlives it."""
        container = run(engine, ["python", "-c", SHELL_SLEEP])
        (child,) = container.program.children()
        container.kill()
        assert not is_alive(child)

    def test_stop_has_a_deadline(self, engine: ProcessEngine) -> None:
        """A program that ignores SIGTERM is killed."""
        ignore = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        container = run(engine, ["python", "-c", ignore + SLEEP[2]])
        container.stop(timeout=0.2)
        assert container.wait()["StatusCode"] == 128 + signal.SIGKILL

    def test_restart_keeps_files_and_log(self, engine: ProcessEngine) -> None:
        """A restart is a start of the same container."""
        container = run(engine, SLEEP)
        container.put_archive("/", archive({"kept": b"here"}))
        container.restart(timeout=0.2)
        wait_until(lambda: container.logs().count(b"up") == 2, 10, "the second start")
        files, _ = container.get_archive("/kept")
        assert b"here" in b"".join(files)

    def test_remove(self, engine: ProcessEngine) -> None:
        """A removed container is unknown; a running one is removed by force only."""
        container = run(engine, SLEEP, name="mine")
        assert engine.containers.get("mine") is container
        with pytest.raises(APIError, match="use force"):
            container.remove()
        container.remove(force=True)
        assert engine.containers.list() == ()
        with pytest.raises(NotFound, match="mine"):
            engine.containers.get("mine")

    def test_close_leaves_nothing(self, engine: ProcessEngine) -> None:
        """The end of the engine is the end of its containers."""
        container = run(engine, SLEEP)
        engine.close()
        assert not container.program.running


class TestRefusals:
    """What the engine can't do is said, not ignored."""

    def test_unknown_program(self, engine: ProcessEngine) -> None:
        """A program that isn't installed here is named."""
        with pytest.raises(DockerException, match="rabbitmq-server"):
            engine.containers.create("rabbitmq", ["rabbitmq-server"])

    def test_unknown_option(self, engine: ProcessEngine) -> None:
        """An option of Docker's that means nothing to a process is an error."""
        with pytest.raises(TypeError, match="privileged"):
            engine.containers.create("any", SLEEP, privileged=True)

    def test_image_without_command(self, engine: ProcessEngine) -> None:
        """An image has no program of its own."""
        with pytest.raises(APIError, match="is only a name here"):
            engine.containers.run("redis:latest", detach=True)

    def test_signal_to_the_dead(self, engine: ProcessEngine) -> None:
        """A container that ended can't be killed."""
        container = run(engine, SLEEP)
        container.kill()
        with pytest.raises(APIError, match="not running"):
            container.kill()


class TestInside:
    """What a program in a container finds."""

    def test_minimal_environment(
        self, engine: ProcessEngine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its own variables, and of the session's only what no program can do without."""
        monkeypatch.setenv("SECRET_OF_THE_SESSION", "1")
        container = run(engine, SLEEP, environment={"GIVEN": "yes"})
        code, output = container.exec_run(["python", "-c", "import os; print(sorted(os.environ))"])
        assert code == 0
        assert b"'GIVEN', 'HOME', 'HOSTNAME', 'LANG', 'PATH'" in output.replace(
            b"'LC_CTYPE', ", b""
        )
        assert b"SECRET" not in output

    def test_volume(self, engine: ProcessEngine) -> None:
        """A volume's files are at the container's path, in its environment and as its folder."""
        volume = engine.volumes.create("code")
        filler = engine.containers.create("any", volumes={"code": {"bind": "/data"}})
        filler.put_archive("/data", archive({"found.py": b"print('found')"}))
        volumes = {"code": {"bind": "/app"}}
        container = run(engine, SLEEP, volumes=volumes, environment={"PYTHONPATH": "/app"})
        assert container.exec_run("python -m found").output == b"found\n"
        assert container.program.env["PYTHONPATH"] == str(volume.path)
        volume.remove()
        assert not volume.path.exists()

    def test_ports(self, engine: ProcessEngine) -> None:
        """A server has a port of the host's, and inside its own number."""
        container = engine.containers.run(
            "redis:latest", ["redis-server"], detach=True, ports={"6379/tcp": None}
        )
        container.reload()
        (binding,) = container.attrs["NetworkSettings"]["Ports"]["6379/tcp"]
        assert container.attrs["Config"]["Hostname"] == f"127.0.0.1:{binding['HostPort']}"
        assert b":18EB" in container.exec_run("cat /proc/net/tcp /proc/net/tcp6").output


@pytest.mark.parametrize(
    ("given", "number"), [(None, 9), ("SIGTERM", 15), ("TERM", 15), (3, 3), ("SIGQUIT", 3)]
)
def test_signal_number(given: str | int | None, number: int) -> None:
    """A signal may be given in any form that Docker takes."""
    assert signal_number(given) == number


SESSION = """
import os, sys
from pathlib import Path
from tests.celery_engine.process import Program

command = [sys.executable, "-c", sys.argv[1]]
program = Program(command, env=dict(os.environ), cwd=Path.cwd(), log=Path(sys.argv[2]))
program.start()
while not program.children():
    pass
print(program.pid, *program.children(), flush=True)
sys.stdin.read()
"""


def test_nothing_outlives_a_killed_session(tmp_path: Path) -> None:
    """Programs and their children end with the session that started them, even by SIGKILL."""
    with subprocess.Popen(
        [sys.executable, "-c", SESSION, SHELL_SLEEP, str(tmp_path / "log")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as session:
        assert session.stdout is not None
        pids = [int(pid) for pid in session.stdout.readline().split()]
        assert len(pids) == 2
        assert all(map(is_alive, pids))
        session.kill()
        wait_until(lambda: not any(map(is_alive, pids)), 5, "the end of what the session started")


def archive(files: dict[str, bytes]) -> bytes:
    """A compressed tar archive of the files."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return stream.getvalue()
