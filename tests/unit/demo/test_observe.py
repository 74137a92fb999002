"""Tests of seeing effects: in a database and a folder that others write."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from core.stack.mail_catcher import Folder
from core.stack.waiting import wait_until
from tests.tools.demo.databases import SqliteReader
from tests.tools.demo.named_effects import Effect, audit, counter, mail
from tests.tools.demo.observe import Observer
from tests.tools.demo.truth import truths

SCHEMA = """
    CREATE TABLE aftercommit_outboxcall (id INTEGER PRIMARY KEY, task, status);
    CREATE TABLE aftercommit_outboxbatch (id INTEGER PRIMARY KEY, task);
    CREATE TABLE audit_auditlog (
        id INTEGER PRIMARY KEY, request_id, model_label, action, object_id, object_repr,
        user_label, changes
    );
    CREATE TABLE auth_user (id INTEGER PRIMARY KEY, username);
    CREATE TABLE content_author (id INTEGER PRIMARY KEY, user_id, article_count);
    CREATE TABLE content_category (id INTEGER PRIMARY KEY, slug, article_count);
    CREATE TABLE content_article (id INTEGER PRIMARY KEY, slug, view_count, author_id, category_id);
    CREATE TABLE notifications_delivery (id INTEGER PRIMARY KEY, message_id, address, status);
    INSERT INTO auth_user VALUES (1, 'ada');
    INSERT INTO content_author VALUES (1, 1, 1);
    INSERT INTO content_category VALUES (1, 'garden', 1);
    INSERT INTO content_article VALUES (1, 'title', 0, 1, 1);
"""
LOG = "INSERT INTO audit_auditlog VALUES (NULL, 'demo-1', ?, ?, '7', 'Pot', ?, ?)"


class System:
    """The system that is observed: what its parts write."""

    def __init__(self, folder: Path) -> None:
        self.mails = Folder(folder / "mail")
        self.database = sqlite3.connect(folder / "db.sqlite3", isolation_level=None)
        self.database.executescript(f"PRAGMA journal_mode=WAL; {SCHEMA}")

    def write(self, statement: str, *values: str) -> None:
        """A change that is committed at once."""
        self.database.execute(statement, values)

    def log(self, model: str, action: str, actor: str, **changes: object) -> None:
        """A row of the audit log."""
        self.write(LOG, model, action, actor, json.dumps(changes))

    def send(self, message_id: str, to: str, subject: str) -> None:
        """A mail, delivered."""
        content = f"Message-ID: {message_id}\r\nSubject: {subject}\r\n\r\nText\r\n"
        self.mails.store("site@example.com", [to], content.encode())


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    """A system in which nothing happens yet."""
    made = System(tmp_path)
    with closing(made.database):
        yield made


@pytest.fixture
def observer(system: System, tmp_path: Path) -> Iterator[Observer]:
    """Somebody who looks when told to, and has looked once."""
    with closing(SqliteReader(tmp_path / "db.sqlite3")) as reader:
        made = Observer(reader, tmp_path / "mail")
        made.look()
        made.sightings.clear()
        yield made


def sights(observer: Observer) -> list[Effect]:
    """What one more look shows."""
    observer.sightings.clear()
    observer.look()
    return [effect for effect, _ in observer.sightings]


class TestLook:
    """One look."""

    def test_what_was_there_is_not_seen_again(self, observer: Observer) -> None:
        assert sights(observer) == []

    def test_audit_row_has_the_names_of_the_changed_fields(
        self, system: System, observer: Observer
    ) -> None:
        system.log("content.product", "UPDATE", "admin", stock={}, price={})
        system.log("content.comment", "CREATE", "", created=True, values={})
        assert sights(observer) == [
            audit("demo-1", "content.product", "UPDATE", "Pot", "admin", ["price", "stock"]),
            audit("demo-1", "content.comment", "CREATE", "7", "", ()),
        ]

    def test_counter_that_jumps_is_as_many_effects(
        self, system: System, observer: Observer
    ) -> None:
        system.write("UPDATE content_article SET view_count = 3")
        system.write("UPDATE content_author SET article_count = 0")
        views, less = counter("views:title", +1), counter("author:ada", -1)
        assert sorted(sights(observer)) == sorted([views, views, views, less])

    def test_article_that_goes_takes_its_counter_silently(
        self, system: System, observer: Observer
    ) -> None:
        system.write("UPDATE content_article SET view_count = 3")
        observer.look()
        system.write("DELETE FROM content_article")
        assert sights(observer) == []

    def test_mail_is_seen_by_whom_it_was_sent_to(self, system: System, observer: Observer) -> None:
        long = "=?utf-8?q?ada_published_=E2=80=9CTitle=E2=80=9D?="
        system.send("<1@x>", "eve@example.com", f"\r\n {long}")
        assert sights(observer) == [mail("eve@example.com", "ada published “Title”")]

    def test_second_mail_with_the_same_id_is_seen_too(
        self, system: System, observer: Observer
    ) -> None:
        system.send("<1@x>", "eve@example.com", "Hello")
        system.send("<1@x>", "eve@example.com", "Hello")
        assert sights(observer) == [mail("eve@example.com", "Hello")] * 2

    def test_is_settled_once_a_later_look_finds_the_outbox_empty(
        self, system: System, observer: Observer
    ) -> None:
        before = observer.last.began
        system.write("INSERT INTO aftercommit_outboxcall VALUES (1, 'task', 'pending')")
        observer.look()
        assert not observer.is_settled_since(before)
        system.write("DELETE FROM aftercommit_outboxcall")
        observer.look()
        assert observer.is_settled_since(before)
        assert not observer.is_settled_since(observer.last.began)


class TestThread:
    """Looking all the time."""

    def test_effects_are_seen_while_it_runs(self, system: System, observer: Observer) -> None:
        with observer:
            system.log("content.product", "DELETE", "admin")
            wait_until(lambda: observer.sightings, awaited="the row to be seen")
        assert observer.last_change > 0

    def test_fail_what_ends_the_thread_is_raised_to_who_waits(
        self, system: System, observer: Observer
    ) -> None:
        with observer:
            system.write("DROP TABLE aftercommit_outboxcall")
            with pytest.raises(sqlite3.OperationalError, match="aftercommit_outboxcall"):
                wait_until(lambda: observer.is_settled_since(float("inf")))


class TestTruths:
    """What must hold at the end."""

    @pytest.fixture
    def wrong(self, system: System, observer: Observer, tmp_path: Path) -> Iterator[list[str]]:
        """What is wrong; computed when the test is over with its changes."""
        found: list[str] = []
        yield found
        observer.look()
        with closing(SqliteReader(tmp_path / "db.sqlite3")) as reader:
            actual = [problem for truth in truths(reader, observer) for problem in truth.problems]
        assert actual == found

    def test_success(self, system: System, wrong: list[str]) -> None:
        system.send("<1@x>", "eve@example.com", "Hello")
        system.write("INSERT INTO notifications_delivery VALUES (1, '<1@x>', 'eve', 'sent')")

    def test_call_that_failed_for_good_is_found(self, system: System, wrong: list[str]) -> None:
        system.write("INSERT INTO aftercommit_outboxcall VALUES (1, 'audit.tasks.write', 'dead')")
        wrong.append("1 of audit.tasks.write: dead")

    def test_wrong_counter_is_found(self, system: System, wrong: list[str]) -> None:
        system.write("UPDATE content_category SET article_count = 2")
        wrong.append("the counter of category garden is 2, there are 1")

    def test_mail_that_arrived_twice_is_found(self, system: System, wrong: list[str]) -> None:
        system.send("<1@x>", "eve@example.com", "Hello")
        system.send("<1@x>", "eve@example.com", "Hello")
        system.write("INSERT INTO notifications_delivery VALUES (1, '<1@x>', 'eve', 'sent')")
        wrong.append("the mail <1@x> is recorded as sent and arrived 2 times")

    def test_mail_without_a_record_is_found(self, system: System, wrong: list[str]) -> None:
        system.send("<1@x>", "eve@example.com", "Hello")
        wrong.append("the mail <1@x> arrived and is not recorded as sent")

    def test_mail_that_was_not_sent_is_found(self, system: System, wrong: list[str]) -> None:
        system.write("INSERT INTO notifications_delivery VALUES (1, '<1@x>', 'eve', 'unconfirmed')")
        wrong.append("the mail to eve is unconfirmed")
