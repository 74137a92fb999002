"""A backup and its restore, by the commands of the page: which calls run again, and which wait."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from audit.models import AuditLog
from core.accounts.tasks import send_verification
from tests.factories import UserFactory
from tests.integration.recipes.page import ROOT, read_page
from tests.mailbox import MailServer
from tests.plugins.servers import current_database_url
from tests.tools.servers.postgres_binaries import find_binaries

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.only_on("postgres", reason="The page is about Compose, which has PostgreSQL."),
]

INSIDE = "docker compose exec -T postgres "
COUNTED = "SELECT count(*) FROM audit_auditlog"


class Database(NamedTuple):
    """A database, and the folder with the dump."""

    url: str
    folder: Path

    @property
    def name(self) -> str:
        """Return its name."""
        return urlsplit(self.url).path.strip("/")

    def run(self, command: str) -> str:
        """Run a command of the page, which is about a database and a user ``aftercommit``."""
        server = urlsplit(self.url)
        command = command.replace("--username aftercommit", f"--username {server.username}")
        command = re.sub(r"\baftercommit(?= >|$| --| <|\n)", self.name, command, flags=re.MULTILINE)
        env = {
            "PATH": f"{find_binaries()}:/usr/bin:/bin",
            "PGHOST": str(server.hostname),
            "PGPORT": str(server.port),
            "PGUSER": str(server.username),
            "PGPASSWORD": str(server.password),
        }
        return run(["sh", "-ec", command], env, self.folder)

    def drain(self, mails: MailServer) -> None:
        """Work all calls off, as a worker does."""
        words = [sys.executable, "manage.py", "outbox", "drain"]
        mail = {"EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": str(mails.port)}
        run(words, {**os.environ, **mail, "DATABASE_URL": self.url}, ROOT)

    def ask(self, statement: str) -> str:
        """Return what the statement finds."""
        return self.run(
            f"psql --no-align --tuples-only --dbname {self.name} --command '{statement}'"
        )


def run(words: list[str], env: dict[str, str], folder: Path) -> str:
    """Return what the command writes. Fails the test if the command fails."""
    done = subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words}: {done.stderr}"
    return done.stdout.strip()


def commands(first: str) -> str:
    """Return the commands for the database's container, of the page's block with this word."""
    (block,) = [
        each.text
        for each in read_page("how-to/deploy-compose.md").blocks
        if each.language == "sh" and first in each.text
    ]
    inside = re.findall(rf"^{INSIDE}((?:.*<<'SQL'\n(?:.*\n)*?SQL)|.*)$", block, re.MULTILINE)
    assert inside
    return "\n".join(inside)


@pytest.fixture
def now(tmp_path: Path) -> Database:
    """The database of the site, as it is now."""
    return Database(current_database_url(), tmp_path)


@pytest.fixture
def restored(now: Database) -> Iterator[Database]:
    """Another one, in which the backup is restored."""
    made = now._replace(url=f"{now.url}_restored")
    yield made
    made.run(f"dropdb --if-exists --force {made.name}")


@pytest.mark.parametrize("held", [True, False])
def test_calls_of_then(now: Database, restored: Database, held: bool) -> None:
    """Effects in the database happen again, since they were undone. So does a mail, unless held."""
    address = UserFactory(verified=False).emailaddress_set.get()
    send_verification.delay_on_commit(address_id=address.pk)
    now.run(commands("pg_dump"))
    with MailServer() as mails:
        now.drain(mails)
        assert (len(mails.messages), AuditLog.objects.count() > 0) == (1, True)
        restored.run(commands("pg_restore"))
        assert restored.ask(COUNTED) == "0"
        if held:
            restored.run(commands("UPDATE aftercommit_outboxcall"))
        restored.drain(mails)
        assert restored.ask(COUNTED) == str(AuditLog.objects.count())
        assert len(mails.messages) == (1 if held else 2)
    waiting = restored.ask("SELECT task, status FROM aftercommit_outboxcall")
    assert waiting == ("core.accounts.tasks.send_verification|uncertain" if held else "")
