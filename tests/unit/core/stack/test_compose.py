"""``docker-compose.yml``: who gets which secret, and who can reach whom."""

import json
import os
import shutil
import stat
import subprocess
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from aftercommit.db.postgresql.vanished import PARAMETERS
from core.serving.__main__ import parser
from core.serving.limits import STOPS_WITHIN, THREADS, WAITS_AT_MOST
from core.stack.compose_secrets import DATABASE_USER, keep_secrets, make_up
from core.stopping import default_time_limit
from tests.unit.aftercommit.reference import in_code, rows
from tests.unit.core.stack.test_main import ROOT

COMPOSE: Mapping[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: Mapping[str, Any] = COMPOSE["services"]
SECRETS = {
    "migrate": {"secret_key", "database_password"},
    "proxy": set(),
    "web": {"secret_key", "database_password", "redis_password"},
    "worker": {"secret_key", "database_password", "redis_password", "email_password"},
    "beat": {"secret_key", "redis_password"},
    "flower": {"flower_redis_password", "flower_login"},
    "postgres": {"database_password"},
    "pgbouncer": {"pgbouncer_users"},
    "redis": {"redis_users"},
    "mail": set(),
}
"""The secrets that each container needs."""

OF_CONTAINERS = {
    *("DEBUG", "VAR_DIR", "STATIC_ROOT", "REDIS_USERNAME", "FLOWER_BASIC_AUTH"),
    *("RABBITMQ_URL", "RABBITMQ_PASSWORD"),  # the second file has them
    # Of ``make run``, or ports that Compose publishes.
    *("WEB_HOST", "WEB_PORT", "FLOWER_PORT", "REDIS_PORT"),
    *("WORKER_CONCURRENCY", "STOP_TIMEOUT", "DEMO_DATA"),
}
"""The variables that the containers have their own value for, or no use."""

NETWORKS = {
    "migrate": {"database"},
    "proxy": {"site", "proxy"},
    "web": {"proxy", "database", "broker"},
    "worker": {"mail", "database", "broker"},
    "beat": {"broker"},
    "flower": {"flower", "broker"},
    "postgres": {"database"},
    "pgbouncer": {"database"},
    "redis": {"broker"},
    "mail": {"mail"},
}
"""The networks that each container needs."""

USERS = ("redis_users", "pgbouncer_users", "rabbitmq_users")
"""The secrets that follow from others."""


def test_each_container_gets_the_secrets_that_it_needs() -> None:
    """Flower has none of the site's. Each secret is a file of the folder that make makes."""
    assert {name: {*each.get("secrets", ())} for name, each in SERVICES.items()} == SECRETS
    files = {name: each["file"] for name, each in COMPOSE["secrets"].items()}
    ours = {name for name in (*make_up(), *USERS) if "rabbitmq" not in name}
    assert files == {name: f".secrets/{name}" for name in ours}


@pytest.mark.parametrize("name", SERVICES)
def test_secrets_come_by_file(name: str) -> None:
    """A variable names the file of a secret that the container has, and no variable is a secret."""
    environment = SERVICES[name].get("environment", {})
    named = {key: value for key, value in environment.items() if key.endswith("_FILE")}
    paths = {f"/run/secrets/{each}" for each in SECRETS[name]}
    command = " ".join(SERVICES[name].get("command", []))
    assert all(any(path in value for path in paths) for value in named.values())
    assert all(any(path in value for value in [*named.values(), command]) for path in paths)
    words = ("PASSWORD", "SECRET", "BASIC_AUTH", "TOKEN")
    assert not [key for key in {*environment} - {*named} if any(word in key for word in words)]
    assert "@" not in environment.get("REDIS_URL", "")
    assert ":" not in environment.get("DATABASE_URL", "").rpartition("@")[0].partition("//")[2]


def test_what_browsers_reach_is_not_where_the_data_is() -> None:
    """The database and the broker are on networks that lead nowhere else."""
    assert {name: {*each["networks"]} for name, each in SERVICES.items()} == NETWORKS
    internal = {name for name, each in COMPOSE["networks"].items() if each and each.get("internal")}
    assert internal == {"proxy", "database", "broker"}
    published = {name for name, each in SERVICES.items() if "ports" in each}
    assert published == {"proxy", "flower", "mail"}
    assert all(
        port.startswith("127.0.0.1:") for name in published for port in SERVICES[name]["ports"]
    )
    assert not {"postgres", "mail"} & {
        other for other, each in NETWORKS.items() if each & NETWORKS["flower"]
    }


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_may_do_nothing_that_it_need_not(name: str) -> None:
    """It can't change its files, gain rights, or take all memory, processes or disk."""
    service = SERVICES[name]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["pids_limit"] <= 200
    assert service["mem_limit"]
    assert {*service["logging"]["options"]} == {"max-size", "max-file"}
    assert service.get("user", "10001:10001").partition(":")[0] != "0"
    assert not service.get("privileged")


def test_what_clients_send_waits_on_the_disk() -> None:
    """In memory, or in a tmpfs, a few hundred clients could end the web server by its limit."""
    assert f"{os.sep}tmp" in SERVICES["web"]["volumes"]
    assert SERVICES["web"]["tmpfs"] == []


def test_one_image() -> None:
    """It is built once, for all programs of the site. No registry is asked for one of its name."""
    images = {name: each["image"] for name, each in SERVICES.items()}
    ours = {name for name, image in images.items() if "aftercommit" in image}
    assert ours == {"migrate", "web", "worker", "beat", "flower"}
    assert len({images[name] for name in ours}) == 1
    assert [name for name, each in SERVICES.items() if "build" in each] == ["web"]
    assert {SERVICES[name]["pull_policy"] for name in ours} == {"${APP_PULL_POLICY:-never}"}


def test_signals() -> None:
    """As its container's first process, Python would not hear SIGTERM. The servers do."""
    servers = {"proxy", "postgres", "pgbouncer", "redis"}
    assert {name for name, each in SERVICES.items() if not each["init"]} == servers


def test_health_is_looked_at_soon() -> None:
    """A program that is ready after a second is not waited for."""
    checks = {name: each.get("healthcheck") for name, each in SERVICES.items()}
    assert [name for name, check in checks.items() if not check] == ["migrate"]
    for check in filter(None, checks.values()):
        assert int(check["start_interval"].removesuffix("s")) <= 3
        assert int(check["start_period"].removesuffix("s")) >= 30


def test_a_health_check_ends() -> None:
    """At its timeout Docker ends the first process alone. What a shell has started would stay."""
    for check in filter(None, (each.get("healthcheck") for each in SERVICES.values())):
        kind, command, *_ = check["test"]
        assert kind == "CMD" or command.startswith("timeout 4 ")


def test_the_database_notices_who_vanished() -> None:
    """As soon as its clients notice that it did, which the library sees to."""
    words = SERVICES["postgres"]["command"][2::2]
    assert {name: int(value) for name, _, value in (each.partition("=") for each in words)} == {
        **{
            f"tcp_{name}": PARAMETERS[name] for name in PARAMETERS if name.startswith("keepalives_")
        },
        "tcp_user_timeout": PARAMETERS["tcp_user_timeout"],
    }


def test_time_to_stop() -> None:
    """A stop waits for as long as requests may take, and for the longest call."""
    worker = SERVICES["worker"]
    stops_within = worker["environment"]["WORKER_STOPS_WITHIN"]
    assert worker["stop_grace_period"] == f"{stops_within}s"
    assert stops_within == "${WORKER_STOPS_WITHIN:-200}"
    assert default_time_limit(200) == default_time_limit(None)
    assert SERVICES["web"]["stop_grace_period"] == f"{drains_for() + STOPS_WITHIN + 5:g}s"


def drains_for() -> float:
    """Return for how many seconds a web server of the image serves on after SIGTERM."""
    command = (ROOT / "Dockerfile").read_text().rpartition("CMD ")[2]
    return float(parser().parse_args(json.loads(command)[3:]).drains_for)


@pytest.mark.parametrize("name", ["web", "worker"])
def test_each_variable_of_the_site_can_be_set(name: str) -> None:
    """What is on the page of variables reaches the site, unless the containers decide it."""
    named = {each for row in rows("environment.md", "All variables") for each in in_code(row[0])}
    found = {each.removesuffix("_FILE") for each in SERVICES[name]["environment"]}
    missing = {each for each in named - OF_CONTAINERS - found if not each.startswith("EMAIL_")}
    assert missing == set()


def test_links_lead_to_the_published_port() -> None:
    """Unless SITE_URL says another address."""
    port = "${WEB_PORT:-8000}"
    assert SERVICES["proxy"]["ports"] == [f"127.0.0.1:{port}:8000"]
    site_url = SERVICES["worker"]["environment"]["SITE_URL"]
    assert site_url == f"${{SITE_URL:-http://127.0.0.1:{port}}}"


class TestPgBouncer:
    """The profile ``pgbouncer``."""

    def test_who_goes_through_it(self) -> None:
        """The web server and workers. Migrations go straight to the database, beat has none."""
        pooled = {name for name in SERVICES if "DATABASE_POOLER" in environment_of(name)}
        assert pooled == {"web", "worker"}
        assert {environment_of(name)["DATABASE_POOLER"] for name in pooled} == {POOLER}
        assert environment_of("pgbouncer")["USED_BY_THE_SITE"] == POOLER

    def test_refuses_to_run_for_nobody(self) -> None:
        """The profile alone does not lead the site to it. So it says what to set."""
        script = (
            SERVICES["pgbouncer"]["command"][-1].replace("$$", "$").replace("exec", "exec echo")
        )
        for used, status in (("", 1), ("elsewhere:5432", 1), ("pgbouncer:5432", 0)):
            variables = {"PATH": os.environ["PATH"], "USED_BY_THE_SITE": used}
            done = subprocess.run(
                ["sh", "-c", script], env=variables, capture_output=True, text=True, check=False
            )
            assert done.returncode == status
            assert ("Set DATABASE_POOLER=pgbouncer:5432 in .env." in done.stderr) is bool(status)

    def test_its_user(self) -> None:
        """It logs in as the site does."""
        user = urlsplit(environment_of("web")["DATABASE_URL"]).username
        assert user == DATABASE_USER == environment_of("postgres")["POSTGRES_USER"]

    def test_sizes(self) -> None:
        """The threads and processes that use it fit in, of six web servers and eight workers."""
        given = environment_of("pgbouncer")
        assert given["POOL_MODE"] == "transaction"
        default = parser().parse_args([]).processes
        web = default * (THREADS + 1)  # the one for /readyz
        words = SERVICES["worker"]["command"]
        worker = int(words[words.index("--concurrency") + 1]) + 3  # its threads
        assert (web, worker) == (10, 5)
        assert 6 * web + 8 * worker <= int(given["MAX_CLIENT_CONN"])
        assert int(given["QUERY_WAIT_TIMEOUT"]) < WAITS_AT_MOST

    def test_a_database_that_is_gone(self) -> None:
        """PgBouncer gives it up after the same time as a connection of the library's does."""
        given = environment_of("pgbouncer")
        ours = {
            "SERVER_CONNECT_TIMEOUT": "connect_timeout",
            "TCP_KEEPIDLE": "keepalives_idle",
            "TCP_KEEPINTVL": "keepalives_interval",
            "TCP_KEEPCNT": "keepalives_count",
            "TCP_USER_TIMEOUT": "tcp_user_timeout",
        }
        assert {name: int(given[name]) for name in ours} == {
            name: PARAMETERS[each] for name, each in ours.items()
        }


POOLER = "${DATABASE_POOLER:-}"


def environment_of(name: str) -> dict[str, str]:
    """Return the variables of the service."""
    return dict(SERVICES[name].get("environment", {}))


class TestSecrets:
    """``make secrets``."""

    def test_made_up_for_each_installation(self) -> None:
        """Never the same twice. A mail server's password is for a person to fill in."""
        first, second = make_up(), make_up()
        assert not {*first.values()} & {*second.values()} - {""}
        assert [name for name, value in first.items() if len(value) < 12] == ["email_password"]

    def test_only_its_owner_enters_the_folder(self, tmp_path: Path) -> None:
        """A container's user has another number, and reads the file that it gets."""
        folder = tmp_path / ".secrets"
        folder.mkdir(mode=0o755)
        before = os.umask(0o077)
        try:
            keep_secrets(folder)
        finally:
            os.umask(before)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert {stat.S_IMODE(each.stat().st_mode) for each in folder.iterdir()} == {0o644}
        assert {each.name for each in folder.iterdir()} == {*make_up(), *USERS}

    def test_kept(self, tmp_path: Path) -> None:
        """What a person wrote into a file holds, whatever it is, in Redis too."""
        folder = tmp_path / ".secrets"
        keep_secrets(folder)
        kept = {each.name: each.read_text() for each in folder.iterdir()}
        (folder / "redis_password").write_text("Tide#7/b@d ✓\n")
        keep_secrets(folder)
        changed = {each.name for each in folder.iterdir() if each.read_text() != kept[each.name]}
        assert changed == {"redis_password", "redis_users"}
        users = (folder / "redis_users").read_text()
        assert sha256("Tide#7/b@d ✓".encode()).hexdigest() in users
        assert (folder / "flower_redis_password").read_text().strip() not in users

    def test_any_password_of_the_database(self, tmp_path: Path) -> None:
        """PgBouncer gets it again after a person changed it, in the form of its file."""
        folder = tmp_path / ".secrets"
        keep_secrets(folder)
        (folder / "database_password").write_text('Tide"7 #/b\\@d\n')
        keep_secrets(folder)
        users = (folder / "pgbouncer_users").read_text()
        assert users == '"aftercommit" "Tide""7 #/b\\@d"\n'

    def test_former(self, tmp_path: Path) -> None:
        """A database keeps the password that it was made with, when that was in ``.env``."""
        (tmp_path / ".env").write_text(
            "# old\nPOSTGRES_PASSWORD='Tide=7'\nSECRET_KEY=\nWEB_PORT=1\n"
        )
        folder = tmp_path / ".secrets"
        keep_secrets(folder)
        assert (folder / "database_password").read_text() == "Tide=7\n"
        assert len((folder / "secret_key").read_text()) > 50

    def test_command(self, tmp_path: Path) -> None:
        """It needs no package."""
        for name in ("aftercommit", "core", "requirements"):
            (tmp_path / name).symlink_to(ROOT / name)
        shutil.copy(ROOT / "Makefile", tmp_path)
        made = subprocess.run(
            ["make", "secrets"], cwd=tmp_path, check=True, capture_output=True, text=True
        )
        kept = {each.read_text().strip() for each in (tmp_path / ".secrets").iterdir()} - {""}
        assert not [word for word in kept if word in made.stdout + made.stderr]
        assert len(kept) == len(make_up()) - 1 + len(USERS)
