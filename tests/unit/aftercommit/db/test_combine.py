"""An ENGINE of somebody else's with the commit hook: ``combine(engine)``."""

import itertools
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import Group
from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.postgresql import base as django_postgresql
from django.db.utils import ConnectionHandler, load_backend
from django.test.utils import CaptureQueriesContext

from aftercommit.db import combine, wrappers
from aftercommit.db.vendors import ENGINES
from aftercommit.models import OutboxCall
from aftercommit.outbox import misuse_warnings
from aftercommit.worker.drain import drain_all
from tests.connections import another
from tests.unit.aftercommit import effects

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]

CLASSES = {
    "ops": "ops_class",
    "features": "features_class",
    "introspection": "introspection_class",
    "client": "client_class",
    "creation": "creation_class",
}
"""The parts of a connection, each with the attribute that names its class."""

METHODS = [
    "get_connection_params",
    "get_new_connection",
    "init_connection_state",
    "create_cursor",
    "_set_autocommit",
    "commit",
    "_commit",
    "rollback",
    "_rollback",
    "savepoint",
    "_savepoint",
    "savepoint_commit",
    "savepoint_rollback",
    "close",
    "_close",
]

names = (f"shop{number}.db" for number in itertools.count())

Use = Callable[[type], None]


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], str]:
    """Returns the name of a new ENGINE of somebody's, whose DatabaseWrapper is given."""

    def make(wrapper: Any) -> str:
        name = next(names)
        module: Any = ModuleType(f"{name}.base")
        module.DatabaseWrapper = wrapper
        monkeypatch.setitem(sys.modules, module.__name__, module)
        return name

    return make


@pytest.fixture
def use(engine: Callable[[Any], str]) -> Iterator[Use]:
    """Has the test's connection made anew, by the combined ENGINE with this class."""
    before = connections[DEFAULT_DB_ALIAS]

    def use(wrapper: type) -> None:
        name = combine(engine(wrapper))
        config = {**before.settings_dict, "ENGINE": name}
        connections[DEFAULT_DB_ALIAS] = load_backend(name).DatabaseWrapper(config, DEFAULT_DB_ALIAS)
        connection.ensure_connection()

    yield use
    connection.close()
    connections[DEFAULT_DB_ALIAS] = before


def standard() -> Any:
    """Django's own class for this run's database, from which somebody else's derives."""
    return load_backend(ENGINES[connection.vendor]).DatabaseWrapper.__bases__[1]


def write_and_call(name: str = "a") -> None:
    """A change, and a call."""
    Group.objects.create(name=f"changed {name}")
    effects.make_group.delay_on_commit(name)


def stored() -> tuple[list[str], int]:
    """The groups, and the number of calls."""
    return effects.names(), OutboxCall.objects.count()


def kinds(queries: CaptureQueriesContext) -> list[str]:
    """The first words of the statements, and the tables that are inserted into."""
    words = [query["sql"].split() for query in queries]
    return [line[2].strip('`"') if line[0] == "INSERT" else line[0] for line in words]


def recording(base: Any, calls: list[str]) -> type:
    """Somebody's class: each method of METHODS is overridden, and says that it was called."""

    def override(name: str) -> Callable[..., Any]:
        def method(self: Any, *args: Any, **kwargs: Any) -> Any:
            calls.append(name)
            return getattr(super(theirs, self), name)(*args, **kwargs)

        return method

    theirs: Any = type("DatabaseWrapper", (base,), {name: override(name) for name in METHODS})
    return theirs  # type: ignore[no-any-return]


class TestStays:
    """What somebody else's class has."""

    def test_classes(self, use: Use) -> None:
        """Each class that it names is the one that is used, itself."""
        base = standard()
        own = {name: type("Own", (getattr(base, name),), {}) for name in CLASSES.values()}
        editor = type("Editor", (base.SchemaEditorClass,), {})
        use(type("DatabaseWrapper", (base,), {**own, "SchemaEditorClass": editor}))
        assert {name: type(getattr(connection, name)) for name in CLASSES} == {
            part: own[attribute] for part, attribute in CLASSES.items()
        }
        assert type(connection.schema_editor()) is editor

    def test_methods(self, use: Use) -> None:
        """Each method that it overrides is called."""
        calls: list[str] = []
        use(recording(standard(), calls))
        with suppress(ZeroDivisionError), transaction.atomic():
            1 / 0  # noqa: B018  # it rolls back
        with transaction.atomic():
            with suppress(ZeroDivisionError), transaction.atomic():
                1 / 0  # noqa: B018
            write_and_call()
        connection.close()
        assert set(METHODS) - set(calls) == set()
        assert stored() == (["changed a"], 1)

    def test_copy(self, use: Use) -> None:
        """A copy of the connection has the same class, the hook too."""
        use(type("DatabaseWrapper", (standard(),), {}))
        with another() as other:
            assert type(other) is type(connections[DEFAULT_DB_ALIAS])

    def test_threads(self, engine: Callable[[Any], str]) -> None:
        """So has the connection of another thread, and that of another alias."""
        config = {**connection.settings_dict, "ENGINE": combine(engine(standard()))}
        handler = ConnectionHandler({DEFAULT_DB_ALIAS: config, "other": config})
        found = [type(handler[alias]) for alias in handler]
        thread = threading.Thread(target=lambda: found.append(type(handler[DEFAULT_DB_ALIAS])))
        thread.start()
        thread.join()
        assert len(found) == 3
        assert len(set(found)) == 1


class TestStored:
    """The calls of a transaction."""

    def test_one_insert_before_commit(self, use: Use) -> None:
        """They are stored by one INSERT, the last statement before COMMIT."""
        use(type("DatabaseWrapper", (standard(),), {}))
        with CaptureQueriesContext(connection) as queries, transaction.atomic():
            write_and_call("a")
            effects.make_group.delay_on_commit("b")
        expected = ["BEGIN", "auth_group", "aftercommit_outboxcall", "COMMIT"]
        assert kinds(queries) == expected
        drain_all()
        assert effects.names() == ["changed a", "a", "b"]

    def test_rolled_back(self, use: Use) -> None:
        """Those of a transaction or a savepoint that rolls back are not stored."""
        use(type("DatabaseWrapper", (standard(),), {}))
        with suppress(ZeroDivisionError), transaction.atomic():
            write_and_call("a")
            1 / 0  # noqa: B018
        with transaction.atomic():
            with suppress(ZeroDivisionError), transaction.atomic():
                write_and_call("b")
                1 / 0  # noqa: B018
            write_and_call("c")
        assert stored() == (["changed c"], 1)

    def test_not_stored(self, use: Use, monkeypatch: pytest.MonkeyPatch) -> None:
        """If they can't be stored, nothing is committed: not even by a commit() of its own."""

        def fail(*args: Any) -> None:
            raise ZeroDivisionError

        use(type("DatabaseWrapper", (standard(),), {"commit": commit_alone}))
        monkeypatch.setattr("aftercommit.db.hook.store_calls", fail)
        with suppress(ZeroDivisionError), transaction.atomic():
            write_and_call()
        assert stored() == ([], 0)


def commit_alone(self: Any) -> None:
    """A commit that asks nobody else."""
    self.connection.commit()


def roll_back_alone(self: Any) -> None:
    """A rollback that asks nobody else."""
    self.connection.rollback()


def run_alone(statement: str) -> Callable[[Any, str], None]:
    """A savepoint's end that asks nobody else."""

    def method(self: Any, sid: str) -> None:
        with self.cursor() as cursor:
            cursor.execute(statement.format(self.ops.quote_name(sid)))

    return method


class TestWithoutSuper:
    """A class that overrides a method and never calls Django's."""

    @pytest.mark.parametrize("name", ["commit", "_commit"])
    def test_commit(self, use: Use, name: str) -> None:
        """The calls are stored in the transaction, before it commits."""
        use(type("DatabaseWrapper", (standard(),), {name: commit_alone}))
        with CaptureQueriesContext(connection) as queries, transaction.atomic():
            write_and_call()
        assert kinds(queries)[:3] == ["BEGIN", "auth_group", "aftercommit_outboxcall"]
        assert stored() == (["changed a"], 1)
        assert connection.run_on_commit == []

    @pytest.mark.parametrize("name", ["rollback", "_rollback"])
    def test_rollback(self, use: Use, name: str) -> None:
        """The calls are dropped with their work."""
        use(type("DatabaseWrapper", (standard(),), {name: roll_back_alone}))
        with suppress(ZeroDivisionError), transaction.atomic():
            write_and_call("a")
            1 / 0  # noqa: B018
        with transaction.atomic():
            write_and_call("b")
        assert stored() == (["changed b"], 1)

    @pytest.mark.parametrize("name", ["savepoint_rollback", "_savepoint_rollback"])
    def test_savepoint(self, use: Use, name: str) -> None:
        """So are those of a savepoint."""
        method = run_alone("ROLLBACK TO SAVEPOINT {}")
        use(type("DatabaseWrapper", (standard(),), {name: method}))
        with transaction.atomic():
            with suppress(ZeroDivisionError), transaction.atomic():
                write_and_call("a")
                1 / 0  # noqa: B018
            write_and_call("b")
        assert stored() == (["changed b"], 1)

    def test_refused_commit(self, use: Use) -> None:
        """A commit in a block is refused as Django's is, and stores nothing."""
        use(type("DatabaseWrapper", (standard(),), {"commit": commit_alone}))
        with transaction.atomic():
            write_and_call()
            with pytest.raises(transaction.TransactionManagementError):
                transaction.commit()
            assert OutboxCall.objects.count() == 0
        assert stored() == (["changed a"], 1)


class TestOnCommit:
    """A class that wraps each callback, to trace it, say."""

    def test_call(self, use: Use) -> None:
        """A call is not wrapped, and is stored before COMMIT. Other callbacks are wrapped."""
        traced: list[Any] = []

        def on_commit(self: Any, func: Any, robust: bool = False) -> None:
            def trace() -> None:
                traced.append(func)
                func()

            getattr(super(theirs, self), "on_commit")(trace, robust)  # noqa: B009

        theirs: Any = type("DatabaseWrapper", (standard(),), {"on_commit": on_commit})
        use(theirs)
        with CaptureQueriesContext(connection) as queries, transaction.atomic():
            write_and_call()
            transaction.on_commit(standard)
        assert kinds(queries) == ["BEGIN", "auth_group", "aftercommit_outboxcall", "COMMIT"]
        assert traced == [standard]


class TestWorkAtCommit:
    """A class that writes something more at each commit."""

    @pytest.mark.parametrize("name", ["commit", "_commit"])
    def test_success(self, use: Use, name: str) -> None:
        """What it writes commits with the calls."""

        def commit(self: Any) -> None:
            if self.run_on_commit and not self.in_atomic_block:
                with self.cursor() as cursor:
                    cursor.execute("INSERT INTO auth_group (name) VALUES ('last')")
            getattr(super(theirs, self), name)()

        theirs: Any = type("DatabaseWrapper", (standard(),), {name: commit})
        use(theirs)
        with transaction.atomic():
            write_and_call()
        assert stored() == (["changed a", "last"], 1)

    @pytest.mark.parametrize("name", ["commit", "_commit"])
    def test_fails(self, use: Use, name: str) -> None:
        """If that fails, nothing is committed, the calls neither."""

        def commit(self: Any) -> None:
            if self.run_on_commit and not self.in_atomic_block:
                raise DatabaseError("no")
            getattr(super(theirs, self), name)()

        theirs: Any = type("DatabaseWrapper", (standard(),), {name: commit})
        use(theirs)
        with pytest.raises(DatabaseError), transaction.atomic():
            write_and_call()
        assert stored() == ([], 0)


class TestCursor:
    """A class that does something for each cursor, as setting a schema."""

    @pytest.mark.parametrize("name", ["_cursor", "create_cursor", "make_cursor"])
    def test_made_for_each_insert(self, use: Use, name: str) -> None:
        """It makes the cursor of each transaction's INSERT."""
        made: list[str] = []

        def cursor(self: Any, *args: Any, **kwargs: Any) -> Any:
            made.append(name)
            return getattr(super(theirs, self), name)(*args, **kwargs)

        theirs: Any = type("DatabaseWrapper", (standard(),), {name: cursor})
        use(theirs)
        counts = []
        for calls in (0, 1, 1):
            made.clear()
            with transaction.atomic():
                for _ in range(calls):
                    effects.make_group.delay_on_commit("a")
            counts.append(len(made))
        assert counts == [counts[0], counts[0] + 1, counts[0] + 1]

    @pytest.mark.parametrize(("number", "size"), [(1, 1), (30, 1), (1, 300_000)])
    def test_wrapped(self, use: Use, number: int, size: int) -> None:
        """A wrapper around cursors need not have more than Django's documents promise."""

        class Wrapped:
            """Somebody's, without the driver's cursor."""

            def __init__(self, cursor: Any) -> None:
                self.inner = cursor

            def __getattr__(self, name: str) -> Any:
                if name in ("copy", "cursor"):
                    raise AttributeError(name)
                return getattr(self.inner, name)

            def __enter__(self) -> "Wrapped":
                return self

            def __exit__(self, *error: object) -> None:
                self.inner.close()

        def make_cursor(self: Any, cursor: Any) -> Any:
            return Wrapped(getattr(super(theirs, self), "make_cursor")(cursor))  # noqa: B009

        theirs: Any = type("DatabaseWrapper", (standard(),), {"make_cursor": make_cursor})
        use(theirs)
        with transaction.atomic():
            Group.objects.create(name="changed")
            for each in range(number):
                effects.make_group.delay_on_commit(str(each) * size)
        assert stored() == (["changed"], number)


class TestWithoutHook:
    """An ENGINE that was not combined."""

    @pytest.fixture(autouse=True)
    def _plain(self) -> Iterator[None]:
        before = connections[DEFAULT_DB_ALIAS]
        connections[DEFAULT_DB_ALIAS] = standard()(before.settings_dict, DEFAULT_DB_ALIAS)
        misuse_warnings._warned.clear()
        yield
        connection.close()
        connections[DEFAULT_DB_ALIAS] = before

    def test_stored_after_commit(self, caplog: pytest.LogCaptureFixture) -> None:
        """A call is stored after the COMMIT, and the log says so once, with the line to write."""
        with CaptureQueriesContext(connection) as queries, transaction.atomic():
            write_and_call()
            effects.make_group.delay_on_commit("b")
        call = "aftercommit_outboxcall"
        assert kinds(queries) == ["BEGIN", "auth_group", "COMMIT", call, call]
        (said,) = [text for text in caplog.messages if "stored after the COMMIT" in text]
        assert f'Write "ENGINE": "{ENGINES[connection.vendor]}"' in said or "combine(" in said
        assert drain_all(DEFAULT_DB_ALIAS).settled == 2

    def test_rolled_back(self) -> None:
        """A call of a transaction that rolls back is not stored."""
        with suppress(ZeroDivisionError), transaction.atomic():
            write_and_call()
            1 / 0  # noqa: B018
        assert stored() == ([], 0)


@pytest.mark.only_on("postgres", reason="PostgreSQL's cursors and messages")
class TestCursorClass:
    """A class that names cursors of its own."""

    @pytest.fixture
    def use_cursor(self, use: Use) -> Callable[[Any], None]:
        """Has the connection made by a class that names this class of cursors."""

        def use_cursor(factory: Any) -> None:
            def get_connection_params(self: Any) -> Any:
                params = getattr(super(theirs, self), "get_connection_params")()  # noqa: B009
                return {**params, "cursor_factory": factory}

            names = {"get_connection_params": get_connection_params}
            theirs: Any = type("DatabaseWrapper", (standard(),), names)
            use(theirs)

        return use_cursor

    def test_derived_from_django(self, use_cursor: Callable[[Any], None]) -> None:
        """They see each statement as it was asked for, and BEGIN goes along beneath them."""
        seen: list[str] = []

        class Cursor(django_postgresql.Cursor):  # type: ignore[misc, name-defined]
            """Somebody's, which watches."""

            def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
                seen.append(query)
                return super().execute(query, *args, **kwargs)  # type: ignore[misc]

        use_cursor(Cursor)
        seen.clear()
        with transaction.atomic(), connection.cursor() as cursor:
            assert isinstance(cursor.cursor, Cursor)
            cursor.execute("SELECT current_query()")
            assert cursor.fetchone() == ("BEGIN; SELECT current_query()",)
            effects.make_group.delay_on_commit("a")
        assert [query.split()[0] for query in seen] == ["SELECT", "INSERT"]
        assert seen[1].endswith("; COMMIT")
        assert OutboxCall.objects.count() == 1

    @pytest.mark.parametrize("name", ["ServerBindingCursor", "psycopg"])
    @pytest.mark.parametrize("number", [1, 30])
    def test_bound_by_the_server(
        self, use_cursor: Callable[[Any], None], name: str, number: int
    ) -> None:
        """Where the server binds parameters, no message has more than one statement."""
        factory = psycopg.Cursor if name == "psycopg" else getattr(django_postgresql, name)
        use_cursor(factory)
        with transaction.atomic(), connection.cursor() as cursor:
            assert isinstance(cursor.cursor, factory)
            Group.objects.create(name="changed")
            for each in range(number):
                effects.make_group.delay_on_commit(str(each))
        assert stored() == (["changed"], number)
        assert not connection.outbox_ops.can_settle_by_statement()

    def test_no_class(self, use_cursor: Callable[[Any], None]) -> None:
        """A function that makes cursors is left alone."""
        use_cursor(lambda *args, **kwargs: psycopg.ClientCursor(*args, **kwargs))
        with transaction.atomic():
            write_and_call()
        assert stored() == (["changed a"], 1)
        assert connection.outbox_ops.can_settle_by_statement()


class TestRefused:
    """What can't be combined."""

    @pytest.mark.parametrize("given", [None, "", "a b", "shop.", ".shop", 3, BaseDatabaseWrapper])
    def test_no_name(self, given: Any) -> None:
        """Anything but a dotted name is refused where it is written."""
        with pytest.raises(ImproperlyConfigured) as caught:
            combine(given)
        assert f"combine() was given {given!r}. Expected the dotted name" in str(caught.value)

    @pytest.mark.parametrize("name", ["nowhere.db", "django.db", "django.db.backends.sqlite3.base"])
    def test_no_module(self, name: str) -> None:
        """A name without a backend is refused when Django connects, and the error names it."""
        with pytest.raises(ImproperlyConfigured) as caught:
            load_backend(combine(name)).DatabaseWrapper  # noqa: B018  # Django asks for it
        assert f"combine({name!r}): {name}.base can't be imported (No module" in str(caught.value)
        assert "Expected the dotted name" in str(caught.value)

    @pytest.mark.parametrize(
        ("code", "cause"),
        [("import nothing", "No module named 'nothing'"), ("import sys; sys.nothing", "attribute")],
    )
    def test_broken_module(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, cause: str
    ) -> None:
        """A backend whose import fails is refused with the reason, whatever the reason is."""
        name = next(names).replace(".", "_")
        package = tmp_path / name
        package.mkdir()
        (package / "__init__.py").touch()
        (package / "base.py").write_text(code)
        monkeypatch.syspath_prepend(tmp_path)
        with pytest.raises(ImproperlyConfigured, match=f"{name}.*can't be imported.*{cause}"):
            load_backend(combine(name)).DatabaseWrapper  # noqa: B018

    def test_missing_driver(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A backend of Django's whose driver isn't installed is refused with the driver's name."""
        monkeypatch.setattr(wrappers, "load_backend", raise_import_error)
        with pytest.raises(ImproperlyConfigured, match=r"shop\.oracle.*No module named 'oracledb'"):
            wrappers.combined_wrapper("shop.oracle")

    @pytest.mark.parametrize("wrapper", [None, dict, lambda *args: None])
    def test_no_class(self, engine: Callable[[Any], str], wrapper: Any) -> None:
        """A module without a backend's class is refused."""
        name = combine(engine(wrapper))
        with pytest.raises(ImproperlyConfigured, match="has no class DatabaseWrapper"):
            load_backend(name).DatabaseWrapper  # noqa: B018

    def test_other_vendor(self, engine: Callable[[Any], str]) -> None:
        """A database that the outbox doesn't know is refused, with those that it knows."""
        other = type("DatabaseWrapper", (BaseDatabaseWrapper,), {"vendor": "oracle"})
        name = combine(engine(other))
        with pytest.raises(ImproperlyConfigured, match=r"vendor is 'oracle'.*PostgreSQL, MySQL"):
            load_backend(name).DatabaseWrapper  # noqa: B018

    def test_not_derived(self, engine: Callable[[Any], str]) -> None:
        """So is a backend that is not derived from Django's for its database."""
        other = type("DatabaseWrapper", (BaseDatabaseWrapper,), {"vendor": connection.vendor})
        name = combine(engine(other))
        with pytest.raises(ImproperlyConfigured, match=r"doesn't derive from django\.db\.backends"):
            load_backend(name).DatabaseWrapper  # noqa: B018


def raise_import_error(engine: str) -> None:
    """Do what Django does for a backend of its own whose driver isn't there."""
    raise ImportError("No module named 'oracledb'", name="oracledb")


class TestDriver:
    """A backend for MySQL, where mysqlclient isn't installed."""

    def load(self, monkeypatch: pytest.MonkeyPatch, missing: str) -> list[str]:
        """Load a backend that lacks this module at first. Return what was done."""
        done: list[str] = []

        def fail_once(engine: str) -> Any:
            done.append(engine)
            if "provided" not in done:
                error = ImportError(f"No module named {missing!r}", name=missing)
                raise ImproperlyConfigured("Error loading a module.") from error
            return SimpleNamespace(DatabaseWrapper=standard())

        monkeypatch.setattr(wrappers, "load_backend", fail_once)
        monkeypatch.setattr(wrappers, "provide_driver", lambda: done.append("provided"))
        wrappers.combined_wrapper("shop.mysql")
        return done

    def test_success(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It gets PyMySQL, as the outbox's own ENGINE does."""
        assert self.load(monkeypatch, "MySQLdb") == ["shop.mysql", "provided", "shop.mysql"]

    def test_fail_other(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Any other module that is missing is an error that names it."""
        with pytest.raises(ImproperlyConfigured, match=r"shop\.mysql.*No module named 'oracledb'"):
            self.load(monkeypatch, "oracledb")


class TestName:
    """The name that ``combine`` returns."""

    def test_has_the_other_name(self) -> None:
        """It ends with the other ENGINE's, for which some packages look."""
        assert combine("psqlextra.backend").endswith(".psqlextra.backend")

    @pytest.mark.parametrize("name", ENGINES.values())
    def test_own_engine(self, name: str) -> None:
        """An ENGINE of the outbox's own stays as it is, and so does one that is combined."""
        assert combine(name) == name
        assert combine(combine("shop.db")) == combine("shop.db")

    def test_derived_from_ours(self, engine: Callable[[Any], str]) -> None:
        """A class that has the hook gets no second one."""
        ours = load_backend(ENGINES[connection.vendor]).DatabaseWrapper
        derived = type("DatabaseWrapper", (ours,), {})
        assert load_backend(combine(engine(derived))).DatabaseWrapper is derived
