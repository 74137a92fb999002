"""The processes that serve: killed, stopped, orphaned, and with a client that takes nothing."""

import os
import signal
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from core.serving.limits import CONNECTIONS, THREADS
from core.stack.waiting import wait_until
from tests.integration.serving.conftest import Served, StartSite
from tests.plugins.servers import OWN_POSTGRES, current_database_url
from tests.tools.servers.postgres import PostgresServer
from tests.tools.slow_clients.crowd import get, non_readers
from tests.tools.slow_clients.trials import try_slow_clients
from tests.tools.slow_clients.visitors import visited

pytestmark = pytest.mark.slow

TARGET = ("--application", "tests.integration.serving.target:application")
LAST = "Connection: close\r\n\r\n"

Target = Callable[..., Served]


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """The file that the page ``/wait`` waits for."""
    return tmp_path / "gate"


@pytest.fixture
def target(start_site: StartSite, gate: Path) -> Target:
    """Start the server with a site of a few pages: ``target("--processes", "2")``."""
    return lambda *options: start_site(*TARGET, *options, env={"TARGET_GATE": str(gate)})


def serving(site: Served) -> set[int]:
    """Return the processes that answer, by the numbers that they tell."""
    found = set()
    for _ in range(40):
        with suppress(ConnectionError):  # it was to be the killed one's
            found.add(int(site.ask(get("/", LAST)).split()[-1]))
    return found


def established(site: Served) -> int:
    """Return how many connections the processes have."""
    return sum(
        each.status == psutil.CONN_ESTABLISHED
        for pid in site.children()
        for each in psutil.Process(pid).net_connections()
        if each.laddr.port == site.port
    )


def test_a_killed_process_is_replaced(target: Target) -> None:
    """The other one answers meanwhile."""
    site = target("--processes", "2")
    wait_until(lambda: len(serving(site)) == 2, 20)
    killed = serving(site).pop()
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: len(serving(site) - {killed}) == 2, 20, site.logs)


def test_a_process_that_is_killed_again_is_replaced(target: Target) -> None:
    """However soon: whoever can make a process end twice doesn't end the server."""
    site = target("--processes", "1")
    killed: set[int] = set()
    for _ in range(4):
        [pid] = serving(site) - killed
        os.kill(pid, signal.SIGKILL)
        killed.add(pid)
        wait_until(lambda: serving(site) - killed or not site.running, 20, site.logs)
    assert site.running, site.logs()


def test_processes_that_end_by_themselves_end_the_server(target: Target) -> None:
    """Those that can't serve are not started for ever."""
    site = target("--processes", "1")

    def ended() -> bool:
        with suppress(OSError):
            site.ask(get("/exit", LAST))
        return not site.running

    wait_until(ended, 20, site.logs)
    assert site.wait(5) == 1
    assert "crash loop" in site.logs()


def test_a_stuck_process_is_replaced(target: Target) -> None:
    """The log says what it was at."""
    site = target("--processes", "1")
    [stuck] = serving(site)
    with suppress(ConnectionError):
        assert site.ask(get("/stuck", LAST)) == b""
    wait_until(lambda: serving(site) - {stuck}, 20, site.logs)
    assert "in pages" in site.logs()


def test_a_running_request_is_finished(target: Target, gate: Path) -> None:
    """SIGTERM ends the server once it has answered. It takes no other request meanwhile."""
    site = target("--processes", "1")
    answers: list[bytes] = []
    client = threading.Thread(target=lambda: answers.append(site.ask(get("/wait", LAST))))
    client.start()
    wait_until(Path(f"{gate}.reached").exists, 20)
    site.signal(signal.SIGTERM)
    wait_until(lambda: not site.answers(), 20)
    assert site.running
    gate.touch()
    assert site.wait(20) == 0
    client.join(20)
    assert answers[0].startswith(b"HTTP/1.1 200 OK")


def test_balancers_go_elsewhere_before_the_port_closes(target: Target, gate: Path) -> None:
    """After SIGTERM each process serves, says that it stops, and keeps no connection."""
    site = target("--processes", "2", "--drains-for", "3600")
    running = serving(site)
    site.signal(signal.SIGTERM)
    wait_until(lambda: b"onnection: close" in site.ask(get("/", "\r\n")), 20)
    assert serving(site) == running
    site.signal(signal.SIGTERM)
    assert site.wait(20) == 0


def test_none_outlives_its_parent(target: Target) -> None:
    """Processes that nobody watches would keep the port."""
    site = target("--processes", "2")
    children = [psutil.Process(pid) for pid in site.children()]
    os.kill(site.pid, signal.SIGKILL)
    _, alive = psutil.wait_procs(children, 20)
    assert not alive


def test_a_site_that_cannot_start(start_site: StartSite, tmp_path: Path) -> None:
    """The server ends at once, and says why."""
    site = Served(tmp_path, env={"SECRET_KEY": "django-insecure-1", "DEBUG": "0"})
    site.start()
    assert site.wait(30) == 1
    assert "SECRET_KEY begins with 'django-insecure-'" in site.logs()
    assert "Spawning worker" not in site.logs()


def test_a_port_that_is_taken(target: Target, tmp_path: Path) -> None:
    """A second server would share the first one's requests without a word."""
    site = target("--processes", "1")
    second = Served(tmp_path / "second", *TARGET, "--port", str(site.port))
    second.start()
    assert second.wait(20) == 1
    assert f"127.0.0.1:{site.port} is in use" in second.logs()


def test_a_unix_socket(tmp_path: Path) -> None:
    """A proxy on the same machine may use one. Other users of the machine can't."""
    where = tmp_path / "socket"
    with Served(tmp_path, unix=where) as site:
        assert stat.S_IMODE(where.stat().st_mode) == 0o660
        assert b" 200 " in site.ask(get("/login/", LAST))[:20]


def test_a_silent_client_is_sent_away(target: Target) -> None:
    """Who takes nothing of an answer is there for some seconds, and costs little memory."""
    site = target("--processes", "1")
    [server] = map(psutil.Process, site.children())
    serving(site)
    before = server.memory_info().rss
    crowd = non_readers(200, "/large")
    clients = [crowd.connect(site.port) for _ in range(crowd.count)]
    wait_until(lambda: established(site) == 0, 60, lambda: f"{established(site)} to leave")
    assert server.memory_info().rss - before < 200 * 1024 * 1024
    for client in clients:
        client.close()


def test_many_slow_clients(start_site: StartSite) -> None:
    """Ten times as many as took the whole site down."""
    site = start_site()
    trials = list(try_slow_clients(site.port, paths=("/healthz", "/login/"), times=10, seconds=5))
    assert not [str(each) for each in trials if not each.withstood]


def test_idle_connections(target: Target) -> None:
    """More than may be connected wait for the head of their request to be too late."""
    site = target("--processes", "1")
    wanted = CONNECTIONS + 10
    idle = [site.connect() for _ in range(wanted)]
    assert serving(site)
    for client in idle:
        client.close()


@pytest.mark.django_db(transaction=True)
@pytest.mark.only_on("postgres", reason="its server's connections are sockets that can be counted")
def test_connections_to_the_database(start_site: StartSite, request: pytest.FixtureRequest) -> None:
    """One for each thread that makes pages, and at most one for ``/readyz``."""
    port = request.config.stash[OWN_POSTGRES].port
    site = start_site("--processes", "1", env={"DATABASE_URL": current_database_url()})
    with visited(site.port, ["/"] * 20 + ["/readyz", "/healthz"]) as visits:
        wait_until(lambda: all(len(each.seconds) >= 3 for each in visits), 30, lambda: f"{visits}")
    [server] = map(psutil.Process, site.children())
    open_ = [each for each in server.net_connections() if each.raddr and each.raddr.port == port]
    assert THREADS <= len(open_) <= THREADS + 1


@contextmanager
def standing_still(server: PostgresServer) -> Iterator[None]:
    """Freeze the server and its processes in the block, as a host that stands still does."""
    assert server.process
    first = psutil.Process(server.process.pid)
    processes = [first, *first.children(recursive=True)]
    for each in processes:
        each.suspend()
    try:
        yield
    finally:
        for each in processes:
            each.resume()


@pytest.mark.django_db(transaction=True)
@pytest.mark.only_on("postgres", reason="its server is the run's own, and can be frozen")
def test_a_database_that_stands_still(
    start_site: StartSite, request: pytest.FixtureRequest
) -> None:
    """``/healthz`` answers while more pages wait than there are threads; ``/readyz`` says no.

    The pages are answered once the database goes on.
    """
    server = request.config.stash[OWN_POSTGRES]
    site = start_site("--processes", "1", env={"DATABASE_URL": current_database_url()})
    page, ready = get("/", LAST), get("/readyz", LAST)
    assert b" 200 " in site.ask(page)[:20]
    with ExitStack() as stack:
        with standing_still(server):
            waiting = [stack.enter_context(site.connect()) for _ in range(12)]
            for client in waiting:
                client.sendall(page)
            with visited(site.port, ["/healthz"]) as [visits]:
                assert b" 503 " in site.ask(ready)[:20]
                wait_until(lambda: len(visits.seconds) >= 20, 20, lambda: f"{visits}")
            assert not visits.failures
        for client in waiting:
            assert b" 200 " in client.recv(20)
    wait_until(lambda: b" 503 " not in site.ask(ready)[:20], 20, site.logs)
