"""``docker-compose.yml``: no secret has a value that everybody can read."""

import re
import shutil
import stat
import subprocess
from pathlib import Path

from core.stack.compose_secrets import lines
from tests.unit.core.stack.test_main import ROOT

SECRETS = {"SECRET_KEY", "POSTGRES_PASSWORD", "FLOWER_BASIC_AUTH"}


def test_secrets_have_no_default() -> None:
    """Each is asked for, with the way to make it up; a mail server's may be empty."""
    text = (ROOT / "docker-compose.yml").read_text()
    found = re.findall(r"\$\{(\w*(?:SECRET|PASSWORD|AUTH)\w*)(:[^}]*)\}", text)
    defaults = {(name, default) for name, default in found if name != "EMAIL_HOST_PASSWORD"}
    assert defaults == {(name, ":?is not set. `make .env` makes one up") for name in SECRETS}


def test_secrets_are_made_up_for_each_installation() -> None:
    """Never the same twice, and nothing that an address or a shell would take apart."""
    assert {line.partition("=")[0] for line in lines()} == SECRETS
    assert not {*lines()} & {*lines()}
    assert all(re.fullmatch(r"\w+=[\w:-]{12,}", line) for line in lines())


def test_make_env_keeps_them_from_others(tmp_path: Path) -> None:
    """``make .env`` makes the file once, readable by its owner only."""
    for name in ("aftercommit", "core", "requirements"):
        (tmp_path / name).symlink_to(ROOT / name)
    shutil.copy(ROOT / "Makefile", tmp_path)
    texts = []
    for _ in range(2):
        subprocess.run(["make", ".env"], cwd=tmp_path, check=True, capture_output=True)
        texts.append((tmp_path / ".env").read_text())
    assert texts[0] == texts[1]
    assert {line.partition("=")[0] for line in texts[0].splitlines()} == SECRETS
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
