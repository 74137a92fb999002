"""The lines of a deploy, each with its time."""

import sys
import time
from datetime import datetime


class Log:
    """Lines for the screen. Each has the time of day, and the seconds since the beginning."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def __call__(self, text: str) -> None:
        """Write a line, or several."""
        for line in text.splitlines():
            now, seconds = datetime.now().astimezone(), time.monotonic() - self._began
            sys.stdout.write(f"{now:%H:%M:%S} {seconds:6.1f} s  {line}\n")
        sys.stdout.flush()
