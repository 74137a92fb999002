"""Compares the effects with what committed; each problem is named by what it is about."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import zip_longest
from typing import Any, NamedTuple

from tests.tools.chaos.changes import Change, Key
from tests.tools.chaos.evidence import Counted, Delivery, Evidence, calls_of
from tests.tools.chaos.fates import is_own
from tests.tools.chaos.ledger import Outcome
from tests.tools.chaos.mails import Records, due_keys

SENT, UNCONFIRMED = "sent", "unconfirmed"
UNCERTAIN = "uncertain"
UNFINISHED = ("pending", "sending")
HELD = ("dead", UNCERTAIN)
"""Calls that wait for a person."""


class Kind(StrEnum):
    """What is wrong."""

    LOST = "lost"
    DOUBLED = "doubled"
    WRONG = "wrong"
    ORDER = "out of order"
    UNDUE = "not due"
    STUCK = "stuck"
    FAILED = "failed"


class Problem(NamedTuple):
    """Something that should not be."""

    kind: Kind
    text: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"


def check(evidence: Evidence, rested: bool = True) -> list[Problem]:
    """All that is wrong with the effects of what committed.

    Of a system that did not come to rest, what waits: its effects are not lost, they are not there.
    """
    records = Records(evidence.records)
    problems = [
        *check_tokens(evidence.outcomes, evidence.tokens),
        *check_outbox(evidence.outbox, evidence.batches),
    ]
    if not rested:
        return problems
    return [
        *problems,
        *check_audit(evidence.committed, evidence.logged),
        *check_counters(evidence.counters),
        *check_publications(records),
        *check_mails(
            evidence.deliveries, evidence.accepted, [*due_keys(records, evidence.gathered)]
        ),
    ]


def check_tokens(outcomes: Mapping[str, Outcome], committed: set[str]) -> Iterator[Problem]:
    """What was confirmed is there, and what was rolled back isn't."""
    for token, outcome in outcomes.items():
        if outcome is Outcome.COMMITTED and token not in committed:
            yield Problem(Kind.LOST, f"operation {token} was confirmed and did not commit")
        if outcome is Outcome.ROLLED_BACK and token in committed:
            yield Problem(Kind.UNDUE, f"operation {token} was rolled back and did commit")


def check_audit(
    committed: Mapping[Key, Sequence[Change]], logged: Mapping[Key, Sequence[Change]]
) -> Iterator[Problem]:
    """Each change has one entry, with its values, in its place."""
    for key in sorted({*committed, *logged}):
        due, found = [*committed.get(key, ())], [*logged.get(key, ())]
        if due != found:
            yield from _differences(f"audit entry of {key[0]} {key[1]}", due, found)


def _differences(name: str, due: Sequence[Change], found: Sequence[Change]) -> Iterator[Problem]:
    missing, extra = Counter(due) - Counter(found), Counter(found) - Counter(due)
    for lost, other in zip_longest(missing.elements(), extra.elements()):
        if lost is None:
            kind = Kind.DOUBLED if other in due else Kind.UNDUE
            yield Problem(kind, f"{name}: {other}")
        elif other is None:
            yield Problem(Kind.LOST, f"{name}: {lost}")
        else:
            yield Problem(Kind.WRONG, f"{name}: {other}, expected {lost}")
    if not missing and not extra:
        order = [due.index(change) + 1 for change in found]
        yield Problem(Kind.ORDER, f"{name}: the changes stand as {order}")


def check_counters(counters: Iterable[Counted]) -> Iterator[Problem]:
    """Each counter equals what it counts."""
    for name, value, truth in counters:
        if value != truth:
            kind = Kind.LOST if value < truth else Kind.DOUBLED
            yield Problem(kind, f"the counter of {name} is {value}, and should be {truth}")


def check_publications(records: Records) -> Iterator[Problem]:
    """Each publication is an event that followers are told of, once."""
    calls = calls_of(records.all, "notifications.tasks.notify_followers")
    told = Counter(call["article_id"] for call in calls)
    due = Counter((each.new or {})["id"] for each in records.publications())
    for article in sorted({*due, *told}):
        if told[article] != due[article]:
            kind = Kind.LOST if told[article] < due[article] else Kind.DOUBLED
            text = f"article {article} became published {due[article]} times"
            yield Problem(kind, f"{text}, and {told[article]} events were made of it")


def check_mails(
    deliveries: Sequence[Delivery], accepted: Mapping[str, int], due: Sequence[str]
) -> Iterator[Problem]:
    """Each mail that was due was sent, and none twice but those that are unconfirmed."""
    recorded = {each.key: each for each in deliveries}
    for key in due:
        if key not in recorded:
            yield Problem(Kind.LOST, f"mail {key}: it was due, and nothing is recorded")
        elif recorded[key].status not in (SENT, UNCONFIRMED, *UNFINISHED):
            yield Problem(Kind.LOST, f"mail {key} was due and is {recorded[key].status}")
    for each in deliveries:
        yield from _check_mail(each, accepted.get(each.message_id, 0))
    known = {each.message_id for each in deliveries}
    for message_id in sorted(accepted.keys() - known):
        yield Problem(Kind.UNDUE, f"mail {message_id} arrived, and nothing is recorded of it")


def _check_mail(delivery: Delivery, times: int) -> Iterator[Problem]:
    name = f"mail {delivery.key}: {delivery.status}, arrived {times} times"
    if delivery.status in UNFINISHED:
        yield Problem(Kind.STUCK, f"{name}, {delivery.attempts} attempts, {delivery.error}")
    elif delivery.status == SENT and times == 0:
        yield Problem(Kind.LOST, name)
    elif delivery.status == SENT and times > 1:
        yield Problem(Kind.DOUBLED, name)
    elif delivery.status not in (SENT, UNCONFIRMED) and times:
        yield Problem(Kind.UNDUE, name)


def check_outbox(
    calls: Iterable[tuple[Any, ...]], batches: Iterable[tuple[Any, ...]]
) -> Iterator[Problem]:
    """Nothing waits, nothing failed, and no batch is left in the journal.

    Which of the chaos run's own calls had to fail is for ``endings`` to say.
    """
    rows = [*calls]
    waiting = Counter((task, status) for task, status, *_ in rows if status not in HELD)
    for (task, status), count in sorted(waiting.items()):
        yield Problem(Kind.STUCK, f"{count} calls of {task} are {status}")
    for task, status, pk, attempts, crashes, error in rows:
        if status not in HELD or is_own(task):
            continue
        lines = error.strip().splitlines()[-1:] or [""]
        text = f"{task} #{pk} is {status}, {attempts} attempts, {crashes} crashes. {lines[0]}"
        yield Problem(Kind.STUCK, text)
    for task, worker, ids in batches:
        yield Problem(Kind.STUCK, f"a batch of {task} in {worker} with {ids}")
