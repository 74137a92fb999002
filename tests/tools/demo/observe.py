"""Sees effects happen, from outside: rows that have committed, and mails that have arrived.

A thread looks every few milliseconds. The time of an effect is when a look found it, so that it is
never too early, and too late by the time between two looks at most.
"""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterable
from email.parser import BytesHeaderParser
from email.policy import default
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from tests.tools.demo.databases import Reader
from tests.tools.demo.judge import Sighting
from tests.tools.demo.letters import VERIFY
from tests.tools.demo.named_effects import Effect, audit, counter, mail

EVERY = 0.002
OUTBOX = "SELECT count(*) FROM aftercommit_outboxcall"
AUDIT_COUNT = "SELECT count(*) FROM audit_auditlog"
AUDIT = """
    SELECT id, request_id, model_label, action, object_id, object_repr, user_label, changes
    FROM audit_auditlog ORDER BY id
"""
COUNTERS = """
    SELECT 'author:' || username, article_count
    FROM content_author JOIN auth_user ON auth_user.id = content_author.user_id
    UNION ALL SELECT 'category:' || slug, article_count FROM content_category
    UNION ALL SELECT 'views:' || slug, view_count FROM content_article
"""
KNOWN_BY_NUMBER = {"content.comment"}
"""Models whose objects a user tells apart by their number, and not by their name."""


class Look(NamedTuple):
    """One look: when it began, and how many calls the outbox held then."""

    began: float
    waiting: int


class Observer:
    """What has happened since it was started; a context manager that looks until its end."""

    def __init__(self, database: Reader, mail_directory: Path) -> None:
        self.sightings: list[Sighting] = []
        self.message_ids: Counter[str] = Counter()
        self.intervals: list[float] = []
        self.last = Look(0.0, 0)
        self._database = database
        self._mails = mail_directory
        self._files: set[str] = set()
        self._logs: set[int] = set()
        self._counters: dict[str, int] = {}
        self._stopped = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="observer", daemon=True)

    def look(self) -> None:
        """Notes what is there and was not at the last look."""
        began = time.monotonic()
        # First the outbox: what it no longer holds has happened before the rest is looked at.
        waiting: int = self._database.rows(OUTBOX)[0][0]
        self._see(self._new_logs())
        self._see(self._moves())
        self._see(self._new_mails())
        if self.last.began:
            self.intervals.append(began - self.last.began)
        self.last = Look(began, waiting)

    def is_settled_since(self, moment: float) -> bool:
        """Whether a look that began after that moment found no call that waits."""
        self.raise_error()
        return self.last.began > moment and not self.last.waiting

    def raise_error(self) -> None:
        """Raises what ended the thread, if anything did."""
        if self._error is not None:
            raise self._error

    @property
    def last_change(self) -> float:
        """When something was last seen to happen; 0 if nothing has."""
        return self.sightings[-1].at if self.sightings else 0.0

    def _see(self, effects: Iterable[Effect]) -> None:
        found = [*effects]
        at = time.monotonic()
        self.sightings += [Sighting(effect, at) for effect in found]

    def _new_logs(self) -> Iterable[Effect]:
        if self._database.rows(AUDIT_COUNT)[0][0] == len(self._logs):
            return
        for number, *row in self._database.rows(AUDIT):
            if number not in self._logs:
                self._logs.add(number)
                yield log_effect(*row)

    def _moves(self) -> Iterable[Effect]:
        counters = dict(self._database.rows(COUNTERS))
        for name, value in counters.items():
            move = value - self._counters.get(name, 0)
            yield from [counter(name, 1 if move > 0 else -1)] * abs(move)
        self._counters = counters

    def _new_mails(self) -> Iterable[Effect]:
        for file in sorted(self._mails.glob("*.eml")):
            if file.name not in self._files:
                self._files.add(file.name)
                yield from self._read_mail(file)

    def _read_mail(self, file: Path) -> Iterable[Effect]:
        with file.open("rb") as content:
            headers = BytesHeaderParser(policy=default).parse(content)
        if headers["Subject"] != VERIFY:
            self.message_ids[headers["Message-ID"]] += 1
        for recipient in headers["X-Envelope-To"].split(", "):
            # A long subject is folded, and unfolding it leaves a space at its beginning.
            yield mail(recipient, headers["Subject"].strip())

    def _run(self) -> None:
        try:
            while not self._stopped.wait(EVERY):
                self.look()
        except Exception as error:  # noqa: BLE001  # raised again where somebody waits for it
            self._error = error

    def __enter__(self) -> Self:
        # What is there before the start is nobody's effect.
        self.look()
        self.sightings.clear()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stopped.set()
        self._thread.join()


def log_effect(
    request: str, model: str, action: str, number: str, name: str, actor: str, changes: Any
) -> Effect:
    """The effect that a row of the audit log is."""
    changes = json.loads(changes) if isinstance(changes, str) else changes
    about = number if model in KNOWN_BY_NUMBER else name
    return audit(request, model, action, about, actor, changes if action == "UPDATE" else ())
