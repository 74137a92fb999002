#!/usr/bin/python3
"""A stand-in for Mailpit: SMTP at 1025, and the part of its API that the tests ask at 8025."""

import email
import email.policy
import json
import signal
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

if sys.argv[1:] == ["readyz"]:
    with urllib.request.urlopen("http://127.0.0.1:8025/readyz", timeout=3) as answer:
        sys.exit(answer.status != 200)

from aiosmtpd.controller import Controller

messages: list[dict[str, Any]] = []


class Inbox:
    """Keep each mail, and then say that it was taken."""

    async def handle_DATA(self, server: object, session: object, envelope: Any) -> str:
        """Take a mail."""
        mail: Any = email.message_from_bytes(envelope.content, policy=email.policy.default)
        text = mail.get_body(("plain",))
        messages.append(
            {
                "ID": str(len(messages)),
                "MessageID": mail["message-id"].strip("<>"),
                "To": [{"Name": "", "Address": each} for each in envelope.rcpt_tos],
                "Subject": mail["subject"],
                "Text": text.get_content() if text else "",
            }
        )
        return "250 OK"


class Pages(BaseHTTPRequestHandler):
    """Answer questions about the mails."""

    def do_GET(self) -> None:
        """Answer all mails, one mail, or that the server is ready."""
        path = self.path.partition("?")[0]
        answer: Any = "ok"
        if path == "/api/v1/messages":
            answer = {"total": len(messages), "messages": [*reversed(messages)]}
        elif path.startswith("/api/v1/message/"):
            answer = messages[int(path.rpartition("/")[2])]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *ignored: object) -> None:
        """Write nothing."""


if __name__ == "__main__":
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # before there are threads
    inbox = Controller(Inbox(), hostname="0.0.0.0", port=1025, server_hostname="mail")  # noqa: S104
    inbox.start()
    pages = ThreadingHTTPServer(("0.0.0.0", 8025), Pages)  # noqa: S104
    threading.Thread(target=pages.serve_forever, daemon=True).start()
    signal.sigwait(signals)
