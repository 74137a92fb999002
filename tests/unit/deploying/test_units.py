"""The units of systemd on the page are what ``docker-compose.yml`` is, for a bare machine."""

import pytest

from core.serving import limits
from core.serving.__main__ import parser
from core.stopping import MORE
from tests.deploying import site_env, text_of, unit_files, units
from tests.unit.core.stack.test_compose import SECRETS, SERVICES
from tests.unit.deploying.figures import PROGRAMS, STOPS_WITHIN, TIME_LIMIT, named_files

UNITS = units()


def test_time_to_stop() -> None:
    """A worker has as long as its calls may take, a web server as long as its requests."""
    assert UNITS["worker"].one("TimeoutStopSec") == str(STOPS_WITHIN)
    assert site_env()["WORKER_STOPS_WITHIN"] == str(STOPS_WITHIN)
    assert UNITS["web"].one("TimeoutStopSec") == seconds_of("web")
    assert UNITS["web"].one("LimitNOFILE") == str(limits.OPEN_FILES)
    own = units("shop")["worker"]
    assert own.one("TimeoutStopSec") == str(TIME_LIMIT + MORE)


def test_one_process_is_told_and_one_is_killed() -> None:
    """SIGTERM goes to the main process. Too much memory ends the process that has it alone."""
    assert "\nKillMode=mixed\n" in unit_files()["aftercommit-.service.d/hardening.conf"]
    workers = [units(project)["worker"] for project in ("aftercommit", "shop")]
    assert [each.one("OOMPolicy") for each in workers] == ["continue", "continue"]
    assert units("shop")["worker"].one("KillMode") == "mixed"


@pytest.mark.parametrize("name", [*PROGRAMS, "flower"])
def test_memory(name: str) -> None:
    """It is bounded as in Compose."""
    limit = UNITS[name].one("MemoryMax").replace("G", "g").replace("M", "m")
    assert limit == SERVICES[name]["mem_limit"]


@pytest.mark.parametrize("name", [*PROGRAMS, "flower"])
def test_secrets(name: str) -> None:
    """A program gets those that it gets in Compose, each as a file that a variable names."""
    given = dict(each.split(":") for each in UNITS[name].values["LoadCredential"])
    assert given == {secret: f"/etc/aftercommit/{secret}" for secret in SECRETS[name]}
    files = {k: v for k, v in UNITS[name].environment.items() if k.endswith("_FILE")}
    assert {*files.values()} == {f"%d/{secret}" for secret in SECRETS[name]}
    assert files.keys() == named_files(SERVICES[name]["environment"]).keys()


@pytest.mark.parametrize("name", ["migrate", "worker", "flower"])
def test_command(name: str) -> None:
    """It is that of Compose. Flower listens at this machine alone."""
    words = UNITS[name].one("ExecStart").replace("%H", "%h").split()
    expected = " ".join(map(str, SERVICES[name]["command"]))
    told = " ".join([words[0].rpartition("/")[2], *words[1:]])
    assert told == expected.replace("--address=0.0.0.0", "--address=127.0.0.1")


def test_command_of_the_web_server() -> None:
    """It takes the options, and listens where the proxy asks."""
    words = UNITS["web"].one("ExecStart").partition("core.serving ")[2].split()
    given = parser().parse_args(words)
    assert (given.host, given.port) == ("127.0.0.1", 8000)
    assert "127.0.0.1:8000" in text_of("deploy-compose")


def seconds_of(service: str) -> str:
    """Return the seconds that Compose gives the service to stop."""
    return str(SERVICES[service]["stop_grace_period"].removesuffix("s"))
