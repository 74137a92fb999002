"""A mail server that delivers to a folder, so that a person can read what the site sends.

``python -m core.stack.mail_catcher --port 1025 --directory var/mail`` writes each mail as one
``.eml`` file and one line to its output. The file starts with the envelope: ``X-Envelope-To`` are
the addresses that the mail was really sent to.
"""

import argparse
import asyncio
import itertools
import os
import signal
from datetime import UTC, datetime
from email.parser import BytesHeaderParser
from email.policy import default
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

from aftercommit.printable import make_printable
from core.stack.ports import LOOPBACK

LARGEST = 20 * 1024 * 1024


class Folder:
    """Takes mails from aiosmtpd and puts them into a folder."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._numbers = itertools.count(1)
        directory.mkdir(parents=True, exist_ok=True)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Store the mail, and only then say that it was taken."""
        content = envelope.original_content or b""
        self.store(envelope.mail_from or "", envelope.rcpt_tos, content)
        subject = BytesHeaderParser(policy=default).parsebytes(content).get("subject", "")
        line = f"to {', '.join(envelope.rcpt_tos)}: {subject.strip()}"
        print(make_printable(line), flush=True)  # noqa: T201
        return "250 OK"

    def store(self, sender: str, recipients: list[str], content: bytes) -> Path:
        """Write the mail and return its file. A list of ``*.eml`` never has half a mail."""
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}-{os.getpid()}-{next(self._numbers)}"
        envelope = f"X-Envelope-From: {sender}\r\nX-Envelope-To: {', '.join(recipients)}\r\n"
        unfinished = self.directory / f"{name}.part"
        unfinished.write_bytes(envelope.encode() + content)
        return unfinished.rename(self.directory / f"{name}.eml")


async def serve(port: int, directory: Path) -> None:
    """Take mails until a SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stopped.set)
    folder = Folder(directory)
    server = await loop.create_server(
        lambda: SMTP(folder, data_size_limit=LARGEST, loop=loop), LOOPBACK, port
    )
    async with server:
        await stopped.wait()


def main() -> None:
    """Run the mail server that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--directory", type=Path, required=True)
    options = parser.parse_args()
    asyncio.run(serve(options.port, options.directory))


if __name__ == "__main__":
    main()
