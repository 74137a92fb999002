"""A server that the machine doesn't have, from Debian's packages."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from core.stack.servers import ServerError
from tests.plugins import preflight
from tests.tools.servers import debian, mysql, programs, rabbitmq
from tests.tools.servers.mysql import MySQLServer

APT = """
for word in "$@"; do
    case $word in Dir::Cache=*) cache=${word#*=};; update) echo updates >> $0.log;; esac
done
[ "$word" = update ] || echo "$word" > "$cache/archives/$word.deb"
"""
"""An apt-get that has any package."""

DPKG = 'mkdir -p "$3/usr/bin"; cp "$2" "$3/usr/bin/program"'

Machine = Callable[..., Path]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Have a machine with these programs, each a script. Return the folder of the programs."""
    monkeypatch.setattr(debian, "SERVERS", tmp_path / "servers")
    programs = tmp_path / "bin"
    programs.mkdir()

    def write(**scripts: str) -> Path:
        for name, script in scripts.items():
            path = programs / name.replace("_", "-")
            path.write_text(f"#!/bin/sh\n{script}\n")
            path.chmod(0o755)
        return programs

    monkeypatch.setattr(debian, "SEARCHED", str(programs))
    return write


def test_fetch(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    """The package is unpacked, and one line says how long that took."""
    machine(apt_get=APT, dpkg=DPKG)
    debian.fetch("a-server")
    assert (debian.unpacked("a-server") / "usr/bin/program").read_text() == "a-server\n"
    line = r"== a-server came from Debian's packages in \d+ s\n"
    assert re.fullmatch(line, capsys.readouterr().out)


def test_kept(machine: Machine) -> None:
    """The next run has it."""
    programs = machine(apt_get=APT, dpkg=DPKG)
    debian.fetch("a-server")
    debian.fetch("a-server")
    assert (programs / "apt-get.log").read_text() == "updates\n"


@pytest.mark.parametrize(
    ("scripts", "said"),
    [
        ({}, "can't be fetched without apt-get, which is Debian's"),
        ({"apt_get": "echo No network; exit 100", "dpkg": DPKG}, "apt-get said: No network"),
        ({"apt_get": "exit 0", "dpkg": DPKG}, "apt-get said that a-server is installed"),
        ({"apt_get": APT, "dpkg": "echo No room; exit 2"}, "dpkg said: No room"),
    ],
    ids=["not Debian", "no network", "installed", "disk full"],
)
def test_fail(machine: Machine, scripts: dict[str, str], said: str) -> None:
    """Whatever goes wrong is said, and leaves nothing that the next run would take for a server."""
    machine(**scripts)
    with pytest.raises(ServerError, match=said):
        debian.fetch("a-server")
    assert [each.name for each in debian.SERVERS.iterdir()] == ["a-server.lock"]


class TestPreflight:
    """RabbitMQ before the first test, on a machine without."""

    @pytest.fixture(autouse=True)
    def _missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in {"INSTALLED": "", "SEARCHED": "", "FETCHED": []}.items():
            monkeypatch.setattr(rabbitmq, name, value)

    def test_only_if_asked(self, machine: Machine) -> None:
        """A run that isn't to fetch it takes what is there."""
        machine(apt_get=APT, dpkg=DPKG)
        with pytest.raises(ServerError, match="rabbitmq-server was not found"):
            preflight.find_rabbitmq(fetches=False)
        assert not debian.SERVERS.exists()

    def test_both_reasons(self, machine: Machine) -> None:
        """If it can't be fetched, the sentence says what to install, and what was tried."""
        machine(apt_get="echo No network; exit 100", dpkg=DPKG)
        with pytest.raises(ServerError, match=r"was not found\. Install .* said: No network"):
            preflight.find_rabbitmq(fetches=True)

    def test_fetched(self, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is found where it was unpacked."""
        copies = "".join(f'cp "$0" "$3/{name}"; ' for name in rabbitmq.NEEDED)
        machine(apt_get=APT, dpkg=copies)
        monkeypatch.setattr(rabbitmq, "FETCHED", [debian.unpacked(rabbitmq.PACKAGE)])
        preflight.find_rabbitmq(fetches=True)


class TestPrograms:
    """Programs that the documents tell people to use."""

    def test_of_the_machine(self, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
        """The machine's own is taken, and nothing is fetched."""
        folder = machine(caddy="")
        monkeypatch.setattr(programs, "SEARCHED", str(folder))
        assert programs.find_or_fetch("caddy") == folder / "caddy"
        assert not debian.SERVERS.exists()

    def test_fetched(self, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without one it comes from the package of its name, with its libraries."""
        machine(apt_get=APT, dpkg='mkdir -p "$3/lib/x"; : > "$3/lib/x/libown.so.1"')
        monkeypatch.setattr(programs, "SEARCHED", "")
        root = debian.unpacked("systemd")
        assert programs.find_or_fetch("systemd-analyze") == root / "usr/bin/systemd-analyze"
        assert programs.library_folders("systemd-analyze") == str(root / "lib/x")

    def test_fail(self, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
        """The sentence says what to install, and what was tried."""
        machine(apt_get="echo No network; exit 100", dpkg=DPKG)
        monkeypatch.setattr(programs, "SEARCHED", "")
        with pytest.raises(ServerError, match=r"caddy was not found\. Install .* said: No network"):
            programs.find_or_fetch("caddy")


def test_mariadb_where_it_was_unpacked(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """MariaDB comes as two packages, and is told that its files aren't in ``/usr``."""
    server = '[ "${2%core.deb}" = "$2" ] || { mkdir -p "$3/usr"; cp "$0" "$3/usr/mariadbd"; }'
    machine(apt_get=APT, dpkg=server)
    monkeypatch.delenv("TEST_MYSQL_URL", raising=False)
    monkeypatch.setattr(mysql, "SEARCHED", "")
    folder = debian.unpacked(mysql.PACKAGE) / "usr"
    monkeypatch.setattr(mysql, "FETCHED", [folder])
    with pytest.raises(ServerError, match="mariadbd was not found"):
        preflight.start_mysql(fetches=False)
    preflight.or_fetch(MySQLServer, [mysql.PACKAGE, "mariadb-client-core"], fetches=True)
    assert MySQLServer()._base() == [f"--basedir={folder}"]
