"""A transaction begins with its first statement, whatever that is, and is the same otherwise."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import DatabaseError, IntegrityError, ProgrammingError, connection, transaction
from django.db.backends.postgresql.base import Cursor
from django.test.utils import CaptureQueriesContext
from psycopg import IsolationLevel, sql

from aftercommit.models import OutboxCall
from tests.connections import another
from tests.unit.aftercommit import effects

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.only_on("postgres", reason="PostgreSQL's cursor"),
]

OWN_QUERY = "SELECT current_query()"
"""Its result is the whole message that the server was sent."""

INSERT = "INSERT INTO auth_group (name) VALUES ('a')"


@pytest.fixture
def driver() -> Any:
    """psycopg's own connection."""
    connection.ensure_connection()
    return connection.connection


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Nothing is left of a test's settings."""
    yield
    connection.close()


def message() -> str:
    """What the server was sent with the statement that asks for it."""
    with connection.cursor() as cursor:
        cursor.execute(OWN_QUERY)
        return str(cursor.fetchone()[0])


def test_goes_along() -> None:
    """BEGIN is in the message of the first statement, and of no other."""
    with transaction.atomic():
        assert message() == f"BEGIN; {OWN_QUERY}"
        assert message() == OWN_QUERY
    assert message() == OWN_QUERY
    with transaction.atomic(), transaction.atomic():
        assert message() == OWN_QUERY  # the savepoint was first


def test_not_shown() -> None:
    """Who watches the queries sees those that were asked for."""
    with CaptureQueriesContext(connection) as queries, transaction.atomic():
        Group.objects.filter(name="a").update(name="b")
    begin, update, commit = (each["sql"] for each in queries)
    assert (begin, update.partition(" ")[0], commit) == ("BEGIN", "UPDATE", "COMMIT")


@pytest.mark.parametrize("query", ["SELECT FROM nowhere", "nonsense"])
def test_not_shown_where_it_fails(query: str) -> None:
    """So do they see a first statement that failed."""
    with (
        CaptureQueriesContext(connection) as queries,
        suppress(DatabaseError),
        transaction.atomic(),
    ):
        connection.cursor().execute(query)
    assert [each["sql"] for each in queries] == ["BEGIN", query, "ROLLBACK"]


def test_not_shown_where_parameters_are_missing() -> None:
    """A statement whose parameters can't be filled in was not sent, and begins nothing."""
    with suppress(ProgrammingError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT %s, %s", [1])
    with transaction.atomic():
        assert message() == f"BEGIN; {OWN_QUERY}"


def test_result() -> None:
    """The cursor has the first statement's result, not BEGIN's."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT %s, '100%%', generate_series(1, 3) AS number", ["%s"])
        assert cursor.rowcount == 3
        assert cursor.description[2].name == "number"
        assert cursor.fetchall()[2] == ("%s", "100%", 3)
    Group.objects.create(name="a")
    with transaction.atomic():
        assert Group.objects.update(name="b") == 1


def test_without_parameters() -> None:
    """Several statements, a per cent sign and a comment are sent as they are."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT '100%'; SELECT 2; -- nothing")
        assert cursor.fetchone() == ("100%",)
        cursor.nextset()
        assert cursor.fetchone() == (2,)


@pytest.mark.parametrize("first", [INSERT, "SELECT 1"])
def test_rolls_back(first: str) -> None:
    """What the first statement did is undone with the rest."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(first)
        cursor.execute("INSERT INTO auth_group (name) VALUES ('b')")
        transaction.set_rollback(True)
    assert effects.names() == []


def test_not_seen_before_commit() -> None:
    """Nor does anybody see it before."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(INSERT)
        with another() as other, other.cursor() as looking:
            looking.execute("SELECT name FROM auth_group")
            assert looking.fetchall() == []
    assert effects.names() == ["a"]


@pytest.mark.parametrize(
    ("first", "error"),
    [("nonsense", DatabaseError), (f"{INSERT}; {INSERT}", IntegrityError)],
)
def test_fails(driver: Any, first: str, error: type[Exception]) -> None:
    """A first statement that fails spoils its transaction alone."""
    with pytest.raises(error), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(first)
    with transaction.atomic():
        Group.objects.create(name="b")
    assert effects.names() == ["b"]
    assert connection.connection is driver


@pytest.mark.parametrize(("first", "commits"), [("nonsense", True), ("SELECT FROM no", False)])
def test_fails_unheard(first: str, commits: bool) -> None:
    """Whoever goes on after it has all that follows, the calls too, or an error and nothing."""
    with suppress(DatabaseError), transaction.atomic():
        with suppress(DatabaseError), connection.cursor() as cursor:
            cursor.execute(first)
        Group.objects.create(name="b")
        effects.make_group.delay_on_commit("c")
    assert effects.names() == ["b"] * commits
    assert OutboxCall.objects.count() == commits


def test_only_calls() -> None:
    """A transaction that does nothing but call tasks is one message."""
    with transaction.atomic():
        effects.make_group.delay_on_commit("a")
        effects.make_group.delay_on_commit("b")
    assert OutboxCall.objects.count() == 2


def first_statements(driver: Any) -> dict[str, Callable[[], object]]:
    """Ways to begin a transaction for which psycopg sends BEGIN."""

    def copy() -> None:
        with driver.cursor().copy("COPY auth_group (name) FROM STDIN") as rows:
            rows.write_row(["a"])

    def stream() -> None:
        list(driver.cursor().stream(f"{INSERT} RETURNING id"))

    return {
        "executemany": lambda: driver.cursor().executemany(INSERT, [()]),
        "composed": lambda: driver.execute(sql.SQL(INSERT)),
        "bytes": lambda: driver.execute(INSERT.encode()),
        "raw": lambda: driver.execute(INSERT),
        "copy": copy,
        "stream": stream,
    }


@pytest.mark.parametrize("way", ["executemany", "composed", "bytes", "raw", "copy", "stream"])
def test_past_django(driver: Any, way: str) -> None:
    """What goes past Django's cursor is in the transaction too."""
    with transaction.atomic():
        first_statements(driver)[way]()
        transaction.set_rollback(True)
    assert effects.names() == []
    with transaction.atomic():
        first_statements(driver)[way]()
    assert effects.names() == ["a"]


def test_server_side_cursor() -> None:
    """A transaction may begin with a cursor that the server keeps."""
    Group.objects.bulk_create(Group(name=str(number)) for number in range(10))
    with transaction.atomic():
        found = Group.objects.order_by("pk").values_list("name", flat=True)
        assert list(found.iterator(chunk_size=2)) == [str(number) for number in range(10)]


def test_isolation_level(driver: Any) -> None:
    """A transaction that begins in a way of its own is psycopg's to begin."""
    driver.isolation_level = IsolationLevel.SERIALIZABLE
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SHOW transaction_isolation")
        assert cursor.fetchone() == ("serializable",)


@pytest.mark.parametrize("name", ["read_only", "deferrable"])
def test_options(driver: Any, name: str) -> None:
    """So is one that only reads, or may be put off."""
    setattr(driver, name, True)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SHOW transaction_{name}")
        assert cursor.fetchone() == ("on",)


def test_set_transaction() -> None:
    """A transaction's own settings come before all else."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("SHOW transaction_isolation")
        assert cursor.fetchone() == ("repeatable read",)


def test_pipeline(driver: Any) -> None:
    """In psycopg's pipeline, where a message holds one statement, BEGIN has its own."""
    with transaction.atomic(), driver.pipeline():
        driver.execute(INSERT)
        transaction.set_rollback(True)
    assert effects.names() == []


def test_autocommit_off(driver: Any) -> None:
    """Without ``atomic()``, and with autocommit turned off by hand, likewise."""
    transaction.set_autocommit(False)
    try:
        assert message() == f"BEGIN; {OWN_QUERY}"
        Group.objects.create(name="a")
        transaction.rollback()
        assert message() == f"BEGIN; {OWN_QUERY}"
        transaction.rollback()
    finally:
        transaction.set_autocommit(True)
    assert effects.names() == []


@pytest.mark.parametrize("base", [object, Cursor])
def test_own_cursor(monkeypatch: pytest.MonkeyPatch, base: type) -> None:
    """A cursor that OPTIONS name stays, itself."""
    factory = type("Own", (base,), {})
    options = {**connection.settings_dict["OPTIONS"], "cursor_factory": factory}
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", options)
    assert connection.get_connection_params()["cursor_factory"] is factory
