"""The units of the page, as systemd itself reads and rates them, and the script of the page."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from core.stack.compose_secrets import keep_secrets
from core.stack.servers import ServerError
from tests.deploying import env_text, unit_files
from tests.integration.recipes.page import ROOT, read_page
from tests.tools.servers.debian import unpacked
from tests.tools.servers.programs import PACKAGES, find_or_fetch, library_folders

pytestmark = [
    pytest.mark.slow,
    pytest.mark.only_on("postgres", reason="No database has a part in it. Once is enough."),
]

EXPOSURE = 2.0
"""What systemd calls OK is below 4. Its versions weigh the same settings a little differently."""

NAMES = sorted(path for path in unit_files() if path.endswith(".service"))


@pytest.fixture(scope="module")
def analyze() -> Path:
    """systemd's own program. A machine without one, and without Debian's, says so."""
    try:
        return find_or_fetch("systemd-analyze")
    except ServerError as error:
        pytest.skip(f"Not shown: that systemd takes the units. {error}")


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """Return a folder with the units. Their programs are those of this environment."""
    programs = str(Path(sys.executable).parent)
    for path, text in unit_files().items():
        file = tmp_path / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(re.sub(r"/srv/\w+/\.venv/bin", programs, text))
    return tmp_path


def ask(analyze: Path, units: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Ask systemd about the units in the folder, and not about those of this machine."""
    own = unpacked(PACKAGES["systemd-analyze"]) / "lib/systemd/system"
    places = [units, own, Path("/lib/systemd/system"), Path("/usr/lib/systemd/system")]
    env = {
        "PATH": os.environ["PATH"],
        "SYSTEMD_UNIT_PATH": os.pathsep.join(str(each) for each in places if each.exists()),
        "LD_LIBRARY_PATH": library_folders("systemd-analyze"),
    }
    return subprocess.run(
        [analyze, *words], cwd=units, env=env, capture_output=True, text=True, check=False
    )


def test_taken_from_the_page(tmp_path: Path) -> None:
    """The command of the page writes each file of the site's units, and none else."""
    (block,) = [
        each.text
        for each in read_page("how-to/deploy-systemd.md").blocks
        if "awk" in each.text and each.language == "sh"
    ]
    command = block.partition("systemctl")[0].replace("/etc/systemd/system", str(tmp_path))
    subprocess.run(["sh", "-ec", command], cwd=ROOT, check=True)
    written = {
        str(each.relative_to(tmp_path)): each.read_text()
        for each in tmp_path.rglob("*")
        if each.is_file()
    }
    assert written == {
        path: text for path, text in unit_files().items() if path.startswith("aftercommit-")
    }


@pytest.mark.parametrize("name", NAMES)
def test_taken(analyze: Path, units: Path, name: str) -> None:
    """systemd knows each key and each value."""
    done = ask(analyze, units, "verify", "--man=no", f"./{name}")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_fault_is_seen(analyze: Path, units: Path) -> None:
    """A key that systemd does not know is said."""
    unit = units / NAMES[0]
    unit.write_text(unit.read_text().replace("KillMode=", "KilMode=") + "[Service]\nFoo=1\n")
    assert "Unknown key" in ask(analyze, units, "verify", "--man=no", f"./{NAMES[0]}").stderr


@pytest.mark.parametrize("name", NAMES)
def test_few_rights(analyze: Path, units: Path, name: str) -> None:
    """The exposure is low, thanks to the file that the units share."""
    words = ("security", "--offline=true", "--no-pager", f"./{name}")
    assert exposure(ask(analyze, units, *words)) <= EXPOSURE
    for file in units.glob("*.service.d/hardening.conf"):
        file.unlink()
    assert exposure(ask(analyze, units, *words)) > 8


def exposure(done: subprocess.CompletedProcess[str]) -> float:
    """Return the number that systemd gives, from 0 to 10."""
    found = re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)
    assert found, done.stderr
    return float(found[1])


def test_commands_by_hand(tmp_path: Path) -> None:
    """The script gives ``manage.py`` the variables and the secrets, as the site's user."""
    (script,) = [
        each.text
        for each in read_page("how-to/deploy-systemd.md").blocks
        if each.text.startswith("#!/bin/sh")
    ]
    keep_secrets(tmp_path / "etc")
    (tmp_path / "etc" / "site.env").write_text(env_text("deploy-systemd"))
    (tmp_path / "runuser").write_text('#!/bin/sh\necho "$1 $2"\nshift 3\nexec "$@"\n')
    (tmp_path / "runuser").chmod(0o755)
    places = {
        "/etc/aftercommit": f"{tmp_path}/etc",
        "/srv/aftercommit": str(ROOT),
        ".venv/bin/python": sys.executable,
    }
    for place, here in places.items():
        script = script.replace(place, here)
    wanted = "from django.conf import settings as s; print(s.DEFAULT_FROM_EMAIL, s.SECRET_KEY)"
    done = subprocess.run(
        [
            "sh",
            "-c",
            script,
            "manage",
            "shell",
            "-c",
            wanted,
        ],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    key = (tmp_path / "etc" / "secret_key").read_text().strip()
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("--user aftercommit\n")
    assert f"Shop <site@shop.example> {key}\n" in done.stdout
