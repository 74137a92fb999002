"""One run: traffic with faults, rest, and the verdict."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg

from core.stack.interrupt import Interrupt
from core.stack.supervisor import Interrupted
from core.stack.waiting import wait_until
from tests.tools.chaos.checks import Kind, Problem, check
from tests.tools.chaos.endings import check_endings
from tests.tools.chaos.evidence import collect
from tests.tools.chaos.fates import is_own
from tests.tools.chaos.fault import BROKER, DATABASE, HOST, MAIL, WEB, WORKER, WRITER
from tests.tools.chaos.frozen import LAST
from tests.tools.chaos.ledger import Ledger, read_ledgers
from tests.tools.chaos.report import Result
from tests.tools.chaos.requests import check_requests
from tests.tools.chaos.schedule import Schedule, plan
from tests.tools.chaos.system import POSTGRES, System
from tests.tools.chaos.traffic import STAFF, Client, Site

CLIENTS = 3
TICK = 0.1
EVERY = 5.0
"""Seconds between two lines of progress."""
PATIENCE = 120.0
"""Seconds in which the system must come to rest: longer than a lease and some retries."""
SOON = 5.0
"""Seconds in which one change is logged when nothing is broken."""
SWEPT_WITHIN = 15.0
"""Seconds in which each worker sweeps again."""

BACKLOG = """
    SELECT (SELECT count(*) FROM aftercommit_outboxcall),
        (SELECT count(*) FROM aftercommit_outboxbatch),
        (SELECT count(*) FROM notifications_delivery WHERE status IN ('pending', 'sending'))
"""
WAITING = """
    SELECT (SELECT count(*) FROM aftercommit_outboxcall WHERE status IN ('pending', 'running')),
        (SELECT count(*) FROM aftercommit_outboxbatch)
"""
UNSETTLED = "SELECT task, id FROM aftercommit_outboxcall WHERE status IN ('pending', 'running')"
HEARTBEATS = "SELECT name, seen_at FROM aftercommit_outboxworker"
LOGGED = "SELECT count(*) FROM audit_auditlog"


class Run:
    """Traffic and faults on one system for some seconds, and what came of it."""

    def __init__(
        self,
        system: System,
        database: str,
        seconds: float,
        say: Callable[[str], None],
        interrupt: Interrupt | None = None,
    ) -> None:
        self._system = system
        self._seconds = seconds
        self._say = say
        self._interrupt = interrupt
        self._database = database
        password = STAFF.password(system.config.var_dir)
        self._site = Site(system.config.site_url, password, system.mail.links)
        self._ledgers = [self._ledger(f"user{n}") for n in range(1, CLIENTS + 1)]
        self._clients = [
            Client(f"user{n}", system.seed * 1000 + n, self._site, ledger)
            for n, ledger in enumerate(self._ledgers, 1)
        ]
        self._begin = time.monotonic()
        self._told = 0.0

    def perform(self) -> Result:
        """Everything; what was found."""
        try:
            return self._perform()
        finally:
            for client in self._clients:
                client.stop()
            for client in self._clients:
                if client.ident:
                    client.join(35)
                client.close()
            for ledger in self._ledgers:
                ledger.close()

    def _perform(self) -> Result:
        for client in self._clients:
            client.join_site()
        for client in self._clients:
            client.follow_all()
        self._wait_for_effects()
        schedule = self._break_things()
        self._say("Traffic has ended, everything is mended. Waiting for rest …")
        ended = time.monotonic()
        rested = self._rest("everything to settle")
        rest = time.monotonic() - ended
        schedule.heal_all()
        marker = self._mark() if rested else None
        return self._judge(schedule, rest, rested, marker)

    def _break_things(self) -> Schedule:
        """Traffic under faults, and then the faults mended and the traffic over."""
        parts = [WEB, WRITER, WORKER, BROKER, MAIL]
        # A file stays locked for as long as a process that writes to it stands still.
        parts += [DATABASE, HOST] if self._database == POSTGRES else []
        schedule = Schedule(self._system, plan(self._system.seed, self._seconds, parts))
        self._begin = schedule.started
        for client in self._clients:
            client.start()
        try:
            while time.monotonic() - self._begin < self._seconds:
                self._tick(schedule)
                schedule.tick()
                self._system.notes += self._system.revive(schedule.broken_parts)
                time.sleep(TICK)
        finally:
            schedule.heal_all()
        self._system.notes += self._system.revive(set())
        if self._database == POSTGRES:
            schedule.inject_last(LAST, self._system.seed)
        for client in self._clients:
            client.stop()
        for client in self._clients:
            client.join(35)
        self._system.stop_traffic()
        return schedule

    def _wait_for_effects(self) -> None:
        """Wait until the calls that the site's tasks have now are settled, or held."""
        first = self._unsettled()
        try:
            wait_until(lambda: not first & self._unsettled(), PATIENCE, "the first effects")
        except TimeoutError as error:
            self._system.notes.append(str(error))

    def _unsettled(self) -> set[int]:
        return {pk for task, pk in self._system.rows(UNSETTLED) if not is_own(task)}

    def _rest(self, what: str) -> bool:
        """Wait until nothing is in the outbox but what waits for a person; whether it came so."""
        try:
            wait_until(self._is_at_rest, PATIENCE, what, 0.3)
        except TimeoutError as error:
            self._system.notes.append(str(error))
            return False
        return True

    def _is_at_rest(self) -> bool:
        self._tick()
        try:
            return self._system.rows(WAITING) == [(0, 0)]
        except psycopg.OperationalError:
            return False

    def _mark(self) -> float:
        """Seconds until one more change is logged, now that nothing is broken."""
        before = self._system.rows(LOGGED)
        begin = time.monotonic()
        self._clients[0].edit_profile()
        try:
            wait_until(lambda: self._system.rows(LOGGED) != before, SOON * 4, "the last change")
            self._rest("the last change")
        except TimeoutError as error:
            self._system.notes.append(str(error))
        return time.monotonic() - begin

    def _judge(self, schedule: Schedule, rest: float, rested: bool, marker: float | None) -> Result:
        evidence = collect(self._system, read_ledgers(self._system.folder))
        # Before the traffic the system starts up, which takes a busy machine long.
        answers = [each for each in self._site.answers if each.started >= schedule.started]
        result = Result(
            seed=self._system.seed,
            database=self._database,
            seconds=self._seconds,
            operations=self._site.operations,
            evidence=evidence,
            answers=answers,
            injections=schedule.done,
            notes=self._system.notes,
            rest=rest,
            marker=marker,
        )
        result.problems += check(evidence, rested)
        result.problems += check_endings(evidence.own, evidence.traces)
        result.problems += self._check_heartbeats()
        result.problems += check_requests(answers, schedule.done)
        if rested and (marker is None or marker > SOON):
            text = "the last change was not logged in time: wake-ups are blocked"
            result.problems.append(Problem(Kind.STUCK, text))
        for error in self._site.errors:
            result.problems.append(Problem(Kind.FAILED, f"the harness itself: {error!r}"))
        return result

    def _check_heartbeats(self) -> Iterator[Problem]:
        """Each worker sweeps: it writes another heartbeat."""
        before = dict(self._system.rows(HEARTBEATS))
        names = {f"{worker.log.stem}@chaos" for worker in self._system.workers}

        def silent() -> set[str]:
            now = dict(self._system.rows(HEARTBEATS))
            return {name for name in names if now.get(name) in (None, before.get(name))}

        try:
            wait_until(lambda: not silent(), SWEPT_WITHIN, "the workers' heartbeats")
        except TimeoutError:
            for name in sorted(silent()):
                yield Problem(Kind.STUCK, f"{name} runs, and writes no heartbeat: it doesn't sweep")

    def _tick(self, schedule: Schedule | None = None) -> None:
        if self._interrupt and self._interrupt.requested:
            raise Interrupted
        now = time.monotonic()
        if now - self._told >= EVERY:
            self._told = now
            self._say(self._progress(schedule))

    def _progress(self, schedule: Schedule | None) -> str:
        try:
            calls, batches, mails = self._system.rows(BACKLOG)[0]
            backlog = f"backlog {calls} calls, {batches} batches, {mails} mails"
        except psycopg.OperationalError:
            backlog = "backlog unknown"
        broken = ", ".join(sorted(schedule.broken_parts)) if schedule else ""
        return (
            f"{time.monotonic() - self._begin:5.0f} s  {self._site.operations} operations, "
            f"{len(self._site.answers)} requests, {len(schedule.done) if schedule else 0} faults, "
            f"{backlog}" + (f"  (broken: {broken})" if broken else "")
        )

    def _ledger(self, actor: str) -> Ledger:
        return Ledger(Path(self._system.folder) / f"{actor}.ledger", actor)
