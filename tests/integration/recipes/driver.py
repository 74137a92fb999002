"""Run snippets in a project, in one process. It is asked, and answers, in lines of JSON.

This file is copied into the project's folder and imports nothing of the tests.
"""

import ast
import asyncio
import doctest
import inspect
import io
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")

ANSWERS = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # what anybody writes past sys.stdout is no answer

import django  # noqa: E402

names: dict[str, Any] = {"__name__": "__main__"}
"""What the snippets share: as in a shell."""


def prepare() -> None:
    """Make the databases and their tables, and import what a shell of Django imports."""
    django.setup()
    from django.apps import apps
    from django.core.management import call_command
    from django.db import connections

    for alias in connections:
        make_database(alias)
        call_command("migrate", database=alias, run_syncdb=True, verbosity=0, skip_checks=True)
    names.update({model.__name__: model for model in apps.get_app_config("shop").get_models()})
    exec("from celery import shared_task\nfrom django.db import transaction", names)  # noqa: S102


def make_database(alias: str) -> None:
    """Make the database, unless there is one or it is a file."""
    for sql in ("CREATE DATABASE {}",) if alias_is_new(alias) else ():
        on_server(alias, sql)


def alias_is_new(alias: str) -> bool:
    """Return whether the database has to be made."""
    from django.db import Error, connections

    if connections[alias].vendor == "sqlite":
        return False
    try:
        connections[alias].ensure_connection()
    except Error:
        return True
    return False


def on_server(alias: str, sql: str) -> None:
    """Run a statement about the database, outside it."""
    from django.db import connections

    connection: Any = connections[alias]
    name = connection.ops.quote_name(connection.settings_dict["NAME"])
    with connection._nodb_cursor() as cursor:
        cursor.execute(sql.format(name))


def finish() -> None:
    """Drop the databases that ``prepare`` made."""
    from django.db import connections

    for alias in connections:
        vendor = connections[alias].vendor
        connections[alias].close()
        if vendor != "sqlite":
            force = " WITH (FORCE)" if vendor == "postgresql" else ""
            on_server(alias, "DROP DATABASE IF EXISTS {}" + force)


def run_python(code: str) -> None:
    """Run the code, which may await, with the names of the snippets before it."""
    compiled = compile(code, "<page>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = eval(compiled, names)  # noqa: S307  # the project's own page
    if inspect.iscoroutine(result):
        asyncio.run(result)


def run_doctest(code: str) -> None:
    """Run a console's session and compare its output. Raises AssertionError."""
    text = code.replace("…", "...")
    test = doctest.DocTestParser().get_doctest(text, names, "page", None, None)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    said = io.StringIO()
    failed = runner.run(test, out=said.write, clear_globs=False).failed
    names.update(test.globs)
    assert not failed, said.getvalue()


def run_manage(arguments: list[str]) -> None:
    """Run ``manage.py`` with these arguments."""
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(["manage.py", *arguments])
    except SystemExit as end:
        if end.code:
            raise


def run_sql(code: str) -> None:
    """Run the statements, and print the rows of each that has some."""
    import sqlparse
    from django.db import connection

    with connection.cursor() as cursor:
        for statement in sqlparse.split(sqlparse.format(code, strip_comments=True)):
            cursor.execute(statement)
            for row in cursor.fetchall() if cursor.description else ():
                print(*row, sep=" | ")


def is_idle(_: str) -> bool:
    """Return whether no call waits for a worker, in any database."""
    from django.apps import apps
    from django.db import connections
    from django.db.models.functions import Now

    if not apps.is_installed("aftercommit"):
        return True
    calls = apps.get_model("aftercommit.OutboxCall").objects.filter(
        status__in=["pending", "running"]
    )
    due = calls.filter(available_at__lte=Now()) | calls.filter(status="running")
    return not any(due.using(alias).exists() for alias in connections)


STEPS: Mapping[str, Callable[[Any], Any]] = {
    "doctest": run_doctest,
    "idle": is_idle,
    "manage": run_manage,
    "python": run_python,
    "sql": run_sql,
}


@contextmanager
def captured(kind: str) -> Iterator[tuple[io.StringIO, io.StringIO]]:
    """Catch what the block writes. What Python code logs is a part of its output."""
    out = io.StringIO()
    err = out if kind == "python" else io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        yield out, err


def answer(kind: str, what: Any) -> dict[str, Any]:
    """Do one step. Return what it returned and wrote, and the error that it raised."""
    error, tail, value = "", "", None
    with captured(kind) as (out, err):
        try:
            value = STEPS[kind](what)
        except SystemExit as end:
            error = f"exit status {end.code}"
        except BaseException as raised:  # noqa: BLE001  # the test tells it
            error = "".join(traceback.format_exception_only(raised))
            tail = traceback.format_exc()
    errors = "" if err is out else err.getvalue()
    return {"value": value, "output": out.getvalue(), "errors": errors + tail, "error": error}


def main() -> None:
    """Answer until there are no more questions."""
    prepare()
    print(json.dumps("ready"), file=ANSWERS, flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(**json.loads(line))), file=ANSWERS, flush=True)
    finish()


if __name__ == "__main__":
    main()
