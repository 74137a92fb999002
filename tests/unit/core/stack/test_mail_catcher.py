"""The mail catcher, in a process of its own, over SMTP."""

import smtplib
import subprocess
import sys
from collections.abc import Generator
from email import message_from_bytes
from email.message import EmailMessage
from pathlib import Path

import pytest

from core.stack.mail_catcher import Folder
from core.stack.ports import LOOPBACK, free_port
from core.stack.probes import smtp_answers
from core.stack.waiting import wait_until
from tests.unit.core.stack.fakes import READY_WITHIN

ROOT = Path(__file__).resolve().parents[4]
Catcher = tuple[int, Path, subprocess.Popen[str]]


@pytest.fixture
def catcher(tmp_path: Path) -> Generator[Catcher, None, None]:
    """Its port, its folder and its process."""
    port, folder = free_port(), tmp_path / "mail"
    command = [sys.executable, "-m", "core.stack.mail_catcher", "--port", str(port)]
    with subprocess.Popen(
        [*command, "--directory", str(folder)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        wait_until(lambda: smtp_answers(port), READY_WITHIN, "the mail catcher")
        yield port, folder, process
        process.terminate()


def a_mail() -> EmailMessage:
    """A mail that isn't all ASCII."""
    mail = EmailMessage()
    mail["Subject"] = "A new article: “Déjà vu”"
    mail["From"], mail["To"] = "site@example.com", "reader@example.com"
    mail.set_content("Zoë wrote it.\n.\nA line of one dot came before.\n")
    return mail


def test_a_mail_becomes_one_whole_file(catcher: Catcher) -> None:
    """With the envelope's addresses before the mail as it was sent."""
    port, folder, process = catcher
    with smtplib.SMTP(LOOPBACK, port, timeout=READY_WITHIN) as client:
        client.send_message(a_mail(), to_addrs=["reader@example.com", "blind@example.com"])
    [file] = folder.iterdir()
    assert file.suffix == ".eml"
    stored = message_from_bytes(file.read_bytes(), policy=a_mail().policy)
    assert stored["X-Envelope-To"] == "reader@example.com, blind@example.com"
    assert stored["Subject"] == "A new article: “Déjà vu”"
    assert isinstance(stored, EmailMessage)
    assert stored.get_content().splitlines()[:2] == ["Zoë wrote it.", "."]
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line == "to reader@example.com, blind@example.com: A new article: “Déjà vu”\n"


def test_its_line_gives_a_terminal_no_orders(catcher: Catcher) -> None:
    """Neither a subject nor an address, encoded as mail has it."""
    port, _, process = catcher
    mail = b"Subject: =?utf-8?q?=1B=5B2J=C2=9B2J=0D=0Aready?=\r\n\r\n"
    with smtplib.SMTP(LOOPBACK, port, timeout=READY_WITHIN) as client:
        client.sendmail("a@example.com", ["b\x1b[2J@example.com"], mail)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith(r"to b\x1b")
    assert r"\x1b[2J\x9b2J" in line
    assert line.rstrip("\n").isprintable()


def test_mails_at_once_are_files_of_their_own(catcher: Catcher) -> None:
    """Two connections, five mails."""
    port, folder, _ = catcher
    with smtplib.SMTP(LOOPBACK, port) as one, smtplib.SMTP(LOOPBACK, port) as other:
        for client in (one, other, one, other, one):
            client.send_message(a_mail())
    assert len([*folder.glob("*.eml")]) == 5


def test_it_stops_at_sigterm(catcher: Catcher) -> None:
    """With exit code 0."""
    _, _, process = catcher
    process.terminate()
    assert process.wait(READY_WITHIN) == 0


def test_an_unfinished_file_has_another_name(tmp_path: Path) -> None:
    """Whoever lists the mails never sees half a one."""
    stored = Folder(tmp_path).store("a@example.com", ["b@example.com"], b"Subject: x\r\n\r\n")
    assert [*tmp_path.iterdir()] == [stored]
