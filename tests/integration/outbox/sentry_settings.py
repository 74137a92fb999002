"""The project's settings with Sentry as its documentation sets it up; what is sent goes to a file.

``SENTRY_FILE`` in the environment names the file: a line of JSON for each event.
"""

import json
import os
from pathlib import Path
from typing import Any

import sentry_sdk
from sentry_sdk.transport import Transport

from tests.settings import *  # noqa: F403


class FileTransport(Transport):
    """Writes events where others send them."""

    def capture_envelope(self, envelope: Any) -> None:
        """Append the envelope's event, if it has one."""
        if event := envelope.get_event():
            with Path(os.environ["SENTRY_FILE"]).open("a") as file:
                file.write(json.dumps(event, default=str) + "\n")


sentry_sdk.init(dsn="http://key@127.0.0.1:9/1", transport=FileTransport)
