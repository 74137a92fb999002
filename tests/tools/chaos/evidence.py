"""What is there when all has come to rest, read from the database and the mail server."""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.tools.chaos.changes import COLUMNS, Change, Key, audited, witnessed
from tests.tools.chaos.fates import LINES, OUTSIDE, OwnCall, own_calls
from tests.tools.chaos.ledger import Outcome, tokens_in
from tests.tools.chaos.system import System
from tests.tools.chaos.witness import ROWS, Record, record

AUDIT = """
    SELECT model_label, object_id, action, CAST(changes AS text) FROM audit_auditlog
    ORDER BY timestamp, call_id
"""
DELIVERIES = "SELECT key, status, message_id, attempts, error FROM notifications_delivery"
GATHERED = """
    SELECT notifications_gatheredcomment.comment_id, key FROM notifications_gatheredcomment
    JOIN notifications_delivery ON notifications_delivery.id = delivery_id
"""
OUTBOX = "SELECT task, status, id, attempts, crashes, error FROM aftercommit_outboxcall ORDER BY id"
BATCHES = "SELECT task, worker, CAST(calls AS text) FROM aftercommit_outboxbatch"
COUNTERS = """
    SELECT 'articles of author ' || id, article_count,
        (SELECT count(*) FROM content_article WHERE author_id = content_author.id)
    FROM content_author
    UNION ALL SELECT 'articles in category ' || id, article_count,
        (SELECT count(*) FROM content_article WHERE category_id = content_category.id)
    FROM content_category
"""
EFFECTS = "SELECT name FROM chaos_effect"
RESULTS = "SELECT task_id, status FROM django_celery_results_taskresult"
DONE = "done"
"""A call that is in the outbox no more."""
VIEWS = "SELECT id, view_count FROM content_article"


class Delivery(NamedTuple):
    """The record of a mail."""

    key: str
    status: str
    message_id: str
    attempts: int
    error: str


class Counted(NamedTuple):
    """A counter, and what it should be."""

    name: str
    value: int
    truth: int


@dataclass
class Traces:
    """What the calls left."""

    statuses: Mapping[int, str] = field(default_factory=dict)
    """The status of each call that is still in the outbox."""
    rows: Counter[str] = field(default_factory=Counter)
    """How often each name was written to the database."""
    lines: Counter[str] = field(default_factory=Counter)
    """How often each name was written outside it."""
    results: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """The states of the results with each id."""

    def status(self, call: OwnCall) -> str:
        """Return what became of the call: its status, or that it is done."""
        return self.statuses.get(call.id, DONE)

    def effects(self, call: OwnCall) -> int:
        """Return how often the call had its effect."""
        return (self.lines if call.task in OUTSIDE else self.rows)[call.name]


@dataclass
class Evidence:
    """All that the checks look at."""

    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)
    committed: dict[Key, list[Change]] = field(default_factory=dict)
    logged: dict[Key, list[Change]] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    """The tokens of all that committed."""
    deliveries: list[Delivery] = field(default_factory=list)
    gathered: Mapping[int, str] = field(default_factory=dict)
    """The key of the delivery that tells of each comment."""
    accepted: Counter[str] = field(default_factory=Counter)
    """How often the mail server took the message with this Message-ID."""
    counters: list[Counted] = field(default_factory=list)
    outbox: list[tuple[Any, ...]] = field(default_factory=list)
    batches: list[tuple[Any, ...]] = field(default_factory=list)
    own: list[OwnCall] = field(default_factory=list)
    """The calls of the chaos run's own tasks that committed."""
    traces: Traces = field(default_factory=Traces)


def collect(system: System, outcomes: Mapping[str, Outcome]) -> Evidence:
    """The evidence of a system at rest."""
    records = [record(row) for row in system.rows(ROWS)]
    committed = committed_changes(records)
    own = own_calls(records)
    return Evidence(
        outcomes=outcomes,
        records=records,
        committed=committed,
        logged=logged_changes(system.rows(AUDIT)),
        tokens=tokens_of(committed) | tokens_in(call.name for call in own),
        deliveries=[Delivery(*row) for row in system.rows(DELIVERIES)],
        gathered=dict(system.rows(GATHERED)),
        accepted=system.mail.accepted,
        counters=[*(Counted(*row) for row in system.rows(COUNTERS)), *_views(system, records)],
        outbox=system.rows(OUTBOX),
        batches=system.rows(BATCHES),
        own=own,
        traces=collect_traces(system),
    )


def collect_traces(system: System) -> Traces:
    """Return what the chaos run's own calls left."""
    results: dict[str, list[str]] = defaultdict(list)
    for call, status in system.rows(RESULTS):
        results[call].append(status)
    lines = system.folder / LINES
    return Traces(
        statuses={pk: status for _, status, pk, *_ in system.rows(OUTBOX)},
        rows=Counter(name for (name,) in system.rows(EFFECTS)),
        lines=Counter(lines.read_text().splitlines() if lines.exists() else ()),
        results=results,
    )


def committed_changes(records: list[Record]) -> dict[Key, list[Change]]:
    """The changes of each audited object, in their order."""
    found: dict[Key, list[Change]] = defaultdict(list)
    for each in records:
        if each.model in COLUMNS:
            change = witnessed(each.model, each.action, each.old, each.new)
            row = each.new or each.old or {}
            if change:
                found[each.model, str(row["id"])].append(change)
    return found


def logged_changes(rows: list[tuple[Any, ...]]) -> dict[Key, list[Change]]:
    """The changes of each object that the audit log tells of, in its order."""
    found: dict[Key, list[Change]] = defaultdict(list)
    for model, pk, action, changes in rows:
        found[model, pk].append(audited(action, json.loads(changes)))
    return found


def tokens_of(committed: Mapping[Key, list[Change]]) -> set[str]:
    """The tokens in what was written."""
    changes = (change for each in committed.values() for change in each)
    return tokens_in(text for change in changes for _, text in change.new)


def calls_of(records: list[Record], task: str) -> list[dict[str, Any]]:
    """The keyword arguments of each call of the task that committed."""
    calls = [each.new for each in records if each.model == "call" and each.new]
    return [json.loads(call["payload"])[1] for call in calls if call["task"] == task]


def _views(system: System, records: list[Record]) -> list[Counted]:
    calls = calls_of(records, "content.tasks.count_views")
    views = Counter(call["article_id"] for call in calls)
    rows = system.rows(VIEWS)
    return [Counted(f"views of article {pk}", value, views[pk]) for pk, value in rows]
