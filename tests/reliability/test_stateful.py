"""Any history of changes, rollbacks, failures and drains leaves what committed, logged and counted.

``STATEFUL_EXAMPLES=2000`` tries more histories than a usual run does.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from django.db import OperationalError, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.models.functions import Now
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from aftercommit.models import OutboxCall
from aftercommit.worker.drain import drain_all
from content.models import Article, Author, Product, Profile
from tests.reliability.choices import (
    LABELS,
    PICK,
    VALUES,
    WHICH,
    Rows,
    new_instance,
    set_one,
)
from tests.reliability.history import (
    ARTICLE,
    CATEGORY,
    PRODUCT,
    USER,
    History,
)
from tests.reliability.observed import COLUMNS, MODELS, check, empty, key_of
from tests.reliability.operations import COUNTED_BY, Operations
from tests.reliability.sessions import BLOCKS, Session

pytestmark = pytest.mark.every_database

HOW = ("whole", "whole, again", "the field", "in vain")
IMPATIENCE = {
    "postgresql": "SET lock_timeout = '50ms'",
    "mysql": "SET innodb_lock_wait_timeout = 0",  # at once in MariaDB; MySQL makes it a second
}
USUAL = 100
EXAMPLES = int(os.environ.get("STATEFUL_EXAMPLES", USUAL))


class Histories(RuleBasedStateMachine):
    """Two sessions, whose operations take turns, and a third that drains."""

    def __init__(self) -> None:
        super().__init__()
        self.history = History()
        self.sessions = [Session(self.history), Session(self.history)]
        self.numbers = count()

    @initialize()
    def begin(self) -> None:
        """There is a row of each kind, and each session holds instances of most."""
        for label in (USER, CATEGORY, USER, CATEGORY, ARTICLE, PRODUCT):
            self.add(which=0, label=label, picks=(0, 1), guarded=False)
            self.load(which=1, label=label, pick=0, defer=False)

    # --- Blocks -----------------------------------------------------------------------------
    @rule(which=WHICH, kind=st.sampled_from(sorted(BLOCKS)))
    def enter(self, which: int, kind: str) -> None:
        """Open a transaction, or a block in it."""
        session = self.session(which)
        if not session.broken and len(session.frames) < 4:
            session.enter(kind if session.frames else "atomic")

    @precondition(lambda self: any(session.frames for session in self.sessions))
    @rule(which=WHICH, well=st.booleans())
    def leave(self, which: int, well: bool) -> None:
        """End the innermost block, or have an exception leave it."""
        session = self.session(which)
        if session.frames:
            (session.leave if well else session.roll_back)()

    # --- New rows ---------------------------------------------------------------------------
    @rule(which=WHICH, label=LABELS, picks=st.tuples(PICK, PICK), guarded=st.booleans())
    def add(self, which: int, label: str, picks: tuple[int, int], guarded: bool) -> None:
        """A new row; what belongs to another belongs to one that is there."""
        session = self.session(which)
        instance = new_instance(label, Rows(session), next(self.numbers), *picks)
        if instance and not session.broken:
            session.hold(instance)
            self.operations(session).save(instance, guarded=guarded)

    # --- Instances --------------------------------------------------------------------------
    @rule(which=WHICH, label=st.sampled_from(sorted(MODELS)), pick=PICK, defer=st.booleans())
    def load(self, which: int, label: str, pick: int, defer: bool) -> None:
        """Hold an instance of a row, one of its fields deferred perhaps."""
        session = self.session(which)
        pk = Rows(session).pick(label, pick)
        if pk and not session.broken:
            deferred = COLUMNS[MODELS[label]][-1:] if defer else ()
            Operations(session, False).load(MODELS[label], pk, deferred)

    @rule(which=WHICH, pick=PICK)
    def refresh(self, which: int, pick: int) -> None:
        """Read an instance again."""
        if found := self.found(which, pick):
            found[0].refresh(found[1])

    @rule(which=WHICH, pick=PICK, data=st.data(), how=st.sampled_from(HOW), guarded=st.booleans())
    def change(self, which: int, pick: int, data: Any, how: str, guarded: bool) -> None:
        """Change a field of an instance and save it: whole, this field, with a failing receiver."""
        if found := self.found(which, pick):
            operations, instance = found
            name = set_one(instance, data)
            names = [name] if how == "the field" and instance.pk else None
            operations.save(instance, names, guarded, fails=how == "in vain")

    @rule(which=WHICH, pick=PICK, data=st.data(), kind=st.sampled_from(sorted(BLOCKS)))
    def change_twice(self, which: int, pick: int, data: Any, kind: str) -> None:
        """Change and save an instance in a block that rolls back, and save it again."""
        session = self.session(which)
        if found := self.found(which, pick):
            set_one(found[1], data)
            self.enter(which, kind)
            self.operations(session).save(found[1])
            session.roll_back()
            self.operations(session).save(found[1])

    @rule(which=WHICH, pick=PICK, guarded=st.booleans())
    def save_again(self, which: int, pick: int, guarded: bool) -> None:
        """Save an instance as it is, whatever was rolled back or deleted since."""
        if found := self.found(which, pick):
            found[0].save(found[1], None, guarded)

    @rule(which=WHICH, pick=PICK, to=PICK, column=st.sampled_from(sorted(COUNTED_BY)))
    def move(self, which: int, pick: int, to: int, column: str) -> None:
        """Give an article another author or category."""
        target = Rows(self.session(which)).pick(COUNTED_BY[column], to)
        if (found := self.found(which, pick, ARTICLE)) and target:
            setattr(found[1], column, target)
            found[0].save(found[1])

    @rule(which=WHICH, pick=PICK, data=st.data())
    def overwrite(self, which: int, pick: int, data: Any) -> None:
        """Save an instance that was built by hand, for a row that exists."""
        session = self.session(which)
        pk = Rows(session).pick(PRODUCT, pick)
        if pk and not session.broken:
            instance = Product(pk=pk, name="Lamp", price=Decimal("3.00"), stock=1)
            set_one(instance, data)
            self.operations(session).save(instance)
            session.hold(instance)

    @rule(which=WHICH, pick=PICK, guarded=st.booleans())
    def delete(self, which: int, pick: int, guarded: bool) -> None:
        """Delete an instance and all that hangs on it."""
        if found := self.found(which, pick):
            operations, instance = found
            # People have a profile and an author as long as they are there.
            if instance.pk and not isinstance(instance, Profile | Author):
                operations.delete(instance, guarded)

    # --- Many rows --------------------------------------------------------------------------
    @rule(which=WHICH, pick=PICK, title=VALUES["title"], guarded=st.booleans())
    def delete_many(self, which: int, pick: int, title: str, guarded: bool) -> None:
        """Delete by a queryset."""
        session = self.session(which)
        if not session.broken:
            wanted = [(Product, "name"), (Article, "title")][pick % 2]
            self.operations(session).delete_all(wanted[0], guarded, **{wanted[1]: title})

    @rule(which=WHICH, title=VALUES["title"], price=VALUES["price"])
    def update_many(self, which: int, title: str, price: Decimal) -> None:
        """Change by a queryset: nobody hears of it, and nothing else suffers."""
        session = self.session(which)
        if not session.broken:
            self.operations(session).update_all(Product, {"price": price}, name=title)

    @rule(which=WHICH, title=VALUES["title"])
    def create_many(self, which: int, title: str) -> None:
        """Create two at once: nobody hears of it, and nothing else suffers."""
        session = self.session(which)
        if not session.broken:
            products = [Product(name=title, price=Decimal("1.00")) for _ in range(2)]
            self.operations(session).create_all(products)

    # --- The worker -------------------------------------------------------------------------
    @rule()
    def drain(self) -> None:
        """Settle what is due; all is then as the history says."""
        is_open = any(session.frames for session in self.sessions)
        if is_open and connection.vendor == "sqlite":
            return  # it would wait for the writer
        OutboxCall.objects.update(available_at=Now())  # also those that were put off, see below
        try:
            report = drain_all()
        except OperationalError:
            assert is_open  # it waited for a lock that a session has
            return
        if is_open and report.retried:
            return  # put off: a session has a row that they need
        assert (report.retried, report.dead) == (0, 0)
        check(self.history)

    def teardown(self) -> None:
        """Whatever is open rolls back; the end is as the history says."""
        with ExitStack() as stack:
            stack.callback(empty)
            for session in self.sessions:
                stack.callback(session.close)
            for session in self.sessions:
                while session.frames:
                    session.roll_back()
            self.drain()

    # --- What the rules have in common ------------------------------------------------------
    def session(self, which: int) -> Session:
        """The session; on SQLite, where one writes at a time, the one that has a transaction."""
        if connection.vendor == "sqlite" and self.is_contended(self.sessions[which]):
            which = 1 - which
        return self.sessions[which]

    def is_contended(self, session: Session) -> bool:
        """Whether the other session has a transaction open."""
        return any(other.frames for other in self.sessions if other is not session)

    def operations(self, session: Session) -> Operations:
        """What the session can do."""
        return Operations(session, self.is_contended(session))

    def found(self, which: int, pick: int, label: str = "") -> tuple[Operations, Any] | None:
        """One of the session's instances."""
        session = self.session(which)
        instances = [
            each for each in session.instances if key_of(each)[0] == (label or key_of(each)[0])
        ]
        if not instances or session.broken:
            return None
        operations, instance = self.operations(session), instances[pick % len(instances)]
        if operations.would_copy_a_counter(instance):
            session.let_go(instance)
            return None
        return operations, instance


@pytest.fixture
def _impatient(transactional_db: None) -> Iterator[None]:
    """A statement that waits for a lock fails at once: nobody is going to release it."""

    def limit(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
        if connection.vendor in IMPATIENCE:
            with connection.cursor() as cursor:
                cursor.execute(IMPATIENCE[connection.vendor])

    connection_created.connect(limit)
    connections.close_all()
    yield
    connection_created.disconnect(limit)
    connections.close_all()


@pytest.mark.usefixtures("_impatient")
def test_histories() -> None:
    """Whatever two sessions do, what committed is logged and counted once, and nothing else is."""
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Histories,
        settings=settings(
            max_examples=EXAMPLES,
            # The same histories each time, unless more are asked for: who changes something
            # else is not to be surprised.
            derandomize=EXAMPLES <= USUAL,
            stateful_step_count=40,
            deadline=None,
            print_blob=True,
            database=None,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
