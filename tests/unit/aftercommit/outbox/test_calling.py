"""Options of a durable call, and canvas: what is honoured, and what is refused with a sentence."""

import datetime
import math
import re
from collections.abc import Iterator
from types import MappingProxyType
from typing import Any

import pytest
from celery import Task, chain, chord, current_app, group, shared_task
from celery.exceptions import Ignore
from django.db import transaction

from aftercommit.models import OutboxCall
from aftercommit.outbox import misuse_warnings
from aftercommit.outbox.calling import START, call_on_commit, start_on_commit
from aftercommit.outbox.task import OutboxTask
from aftercommit.worker.drain import drain_all
from tests.unit.aftercommit import effects

pytestmark = pytest.mark.django_db(transaction=True)


@shared_task
def double(number: int) -> int:
    """Return twice the number."""
    seen.append(number)
    return 2 * number


def do_nothing() -> None:
    """Do nothing."""


def nested(depth: int) -> Any:
    """Return a list in a list in a list."""
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


@shared_task
def add(*numbers: int) -> int:
    """Return the sum."""
    seen.append(numbers)
    return sum(numbers)


@shared_task
def take_all(value: Any) -> Any:
    """Return what it is given."""
    seen.append(value)
    return value


seen: list[Any] = []
"""What ``double``, ``add`` and ``take_all`` were called with."""


class TestRefused:
    """Options and arguments that can't be kept."""

    @pytest.mark.parametrize(
        "options",
        [
            {"countdown": True},
            {"countdown": "5"},
            {"countdown": float("nan")},
            {"countdown": 1e12},
            {"countdown": datetime.timedelta(1)},
            {"eta": datetime.datetime.max.replace(tzinfo=datetime.UTC)},
            {"eta": datetime.datetime.min.replace(tzinfo=datetime.UTC)},
            {"eta": datetime.datetime(2026, 1, 1)},
            {"eta": "2030-01-01T00:00:00Z"},
            {"eta": datetime.date(2030, 1, 1)},
            {"expires": datetime.datetime.max.replace(tzinfo=datetime.UTC)},
            {"expires": datetime.datetime.min.replace(tzinfo=datetime.UTC)},
            {"expires": datetime.datetime(2030, 1, 1)},
            {"expires": datetime.timedelta(1)},
            {"expires": 1e12},
        ],
    )
    def test_time(self, options: Any) -> None:
        """A time that the database or the admin couldn't hold is refused at the call."""
        with pytest.raises(TypeError, match=r"make_group: (countdown|eta|expires)="):
            effects.make_group.apply_async_on_commit(["a"], **options)
        assert not OutboxCall.objects.exists()

    @pytest.mark.parametrize("name", ["queue", "priority", "shadow", "link_error", "chord"])
    def test_option(self, name: str) -> None:
        """One that a durable call can't have is named, with what to do."""
        call: Any = effects.make_group.apply_async_on_commit
        with pytest.raises(TypeError, match=f"not {name}.* Route a task by CELERY_TASK_ROUTES"):
            call(["a"], **{name: 1})

    @pytest.mark.parametrize("args", ["a", b"a", {"name": "a"}, {"a"}, 5, iter("a")])
    def test_no_list(self, args: Any) -> None:
        """Arguments that are no list are refused: a text would be one argument a letter."""
        with pytest.raises(TypeError, match=r"make_group: args=.* is not a list or a tuple"):
            effects.make_group.apply_async_on_commit(args)

    @pytest.mark.parametrize("kwargs", ["a", [("name", "a")], 5])
    def test_no_mapping(self, kwargs: Any) -> None:
        """So are named arguments that are no mapping."""
        with pytest.raises(TypeError, match=r"make_group: kwargs=.* is not a mapping"):
            effects.make_group.apply_async_on_commit(None, kwargs)

    def test_other_containers(self) -> None:
        """Any sequence and any mapping will do."""
        effects.take_values.apply_async_on_commit(range(0), MappingProxyType({"a": 1}))
        drain_all()
        assert effects.received == [{"a": 1}]

    @pytest.mark.parametrize("value", ["no", 1, []])
    def test_ignore_result(self, value: Any) -> None:
        """What is neither true nor false is refused."""
        with pytest.raises(TypeError, match=r"ignore_result=.* is neither True nor False"):
            effects.make_group.apply_async_on_commit(["a"], ignore_result=value)

    @pytest.mark.parametrize("headers", [5, "a", [("a", 1)], {1: "a"}])
    def test_headers(self, headers: Any) -> None:
        """Headers that are no mapping of names are refused: no request could have them."""
        with pytest.raises(TypeError, match="is not a mapping of names to values"):
            effects.make_group.apply_async_on_commit(["a"], headers=headers)

    @pytest.mark.parametrize("options", [{"expires": 5}, {"headers": {"a": 1}}])
    def test_option_of_a_statement(self, options: Any) -> None:
        """A call whose task has a statement has no options of its own: all go by one statement."""
        with pytest.raises(TypeError, match=r"by its statement .* Leave them out"):
            effects.name_group.apply_async_on_commit(["a"], **options)
        effects.name_group.apply_async_on_commit(["a"], headers=None)

    @pytest.mark.parametrize(
        "value",
        [
            {"__type__": "datetime", "__value__": "no time"},
            [{"deep": {"__type__": "x"}}],
        ],
    )
    def test_what_json_takes_for_a_type(self, value: Any) -> None:
        """Plain data that Celery's JSON would read as something else is refused."""
        with pytest.raises(TypeError, match=r"argument 'value' .*__type__"):
            effects.take_values.delay_on_commit(value=value)

    @pytest.mark.parametrize(
        "options",
        [
            {"headers": {"a": {"__type__": "datetime", "__value__": 3}}},
            {"headers": {"a": nested(101)}},
            {"headers": {"a": object()}},
            {"link": {"task": "a", "args": [{"__type__": "uuid", "__value__": "no"}]}},
            {"link": {"task": "a", "args": nested(101)}},
        ],
    )
    def test_option_that_json_cannot_carry(self, options: Any) -> None:
        """What holds for arguments holds for options: a worker must be able to read them."""
        (name,) = options
        with pytest.raises(TypeError, match=f"option '{name}' is or holds what JSON can't carry"):
            effects.make_group.apply_async_on_commit(["a"], **options)
        assert not OutboxCall.objects.exists()

    @pytest.mark.parametrize(
        "option",
        [
            {"batch_size": 0},
            {"batch_size": 2.5},
            {"batch_size": True},
            {"lease": 0},
            {"lease": "60"},
            {"lease": math.inf},
            {"atomic": "no"},
            {"batch": 1},
        ],
        ids=str,
    )
    @pytest.mark.parametrize("base", [OutboxTask, Task])
    def test_option_of_the_task(self, option: Any, base: Any) -> None:
        """A task with an option that would have its calls never run, or run twice, is refused."""
        ((name, value),) = option.items()
        app: Any = current_app
        task = app.task(do_nothing, base=base, name=f"tests.{base.__module__}.{option}", **option)
        with pytest.raises(TypeError, match=re.escape(f"has {name}={value!r}. Expected ")):
            call_on_commit(task)
        assert not OutboxCall.objects.exists()

    @pytest.mark.parametrize("depth", [101, 990, 100_000])
    def test_depth(self, depth: int) -> None:
        """What a worker might not be able to read is refused."""
        with pytest.raises(TypeError, match="argument 'value' is or holds what JSON can't carry"):
            effects.take_values.delay_on_commit(value=nested(depth))

    def test_wide(self) -> None:
        """Many values side by side are fine, and so are types that stand beside them."""
        values = {"list": [[number] for number in range(1000)], "day": datetime.date(2026, 1, 2)}
        effects.take_values.delay_on_commit(**values)
        drain_all()
        assert effects.received == [values]


class TestLink:
    """``link``: what is called with a call's result."""

    @pytest.mark.parametrize("atomic", [True, False])
    def test_result(self, atomic: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        """What is linked is called durably, with the result, in the transaction of the effect."""
        monkeypatch.setattr(double, "atomic", atomic)
        links = [double.s(), effects.take_values.si(name="done")]
        double.apply_async_on_commit([2], link=links)
        assert drain_all().settled == 3
        assert effects.received == [{"name": "done"}]

    def test_after_an_outside_effect(self, caplog: pytest.LogCaptureFixture) -> None:
        """A link that can't be called is said; the effect before it is not had again."""
        sent: list[str] = []

        @shared_task(name="tests.linked_outside", atomic=False, reject_on_worker_lost=True)
        def send() -> object:
            sent.append("mail")
            return object()  # which no call can be given

        send.apply_async_on_commit(link=double.s())
        assert drain_all().settled == 1
        assert drain_all().total == 0
        assert sent == ["mail"]
        assert not OutboxCall.objects.exists()
        assert "what is linked to it is not called" in caplog.text

    def test_chain_of_links(self) -> None:
        """A link may have links."""
        linked = double.s()
        linked.link(double.s().set(link=effects.make_group.si("end")))
        double.apply_async_on_commit([1], link=linked)
        assert drain_all().settled == 4
        assert effects.names() == ["end"]

    @pytest.mark.parametrize("atomic", [True, False])
    def test_not_of_an_ignored_call(self, atomic: bool) -> None:
        """A call that raises Ignore has no result, and calls nobody."""

        @shared_task(name=f"tests.ignored_{atomic}", atomic=atomic)
        def ignored() -> None:
            raise Ignore

        ignored.apply_async_on_commit(link=effects.take_values.si(name="linked"))
        assert drain_all().settled == 1
        assert effects.received == []

    def test_of_a_replacement(self) -> None:
        """What is linked to a call that is replaced is called once, by what replaced the call."""

        @shared_task(bind=True, name="tests.replaced")
        def replaced(self: Any) -> None:
            self.replace(double.s(1))

        replaced.apply_async_on_commit(link=effects.take_values.si(name="linked"))
        assert drain_all().settled == 3
        assert effects.received == [{"name": "linked"}]

    def test_not_of_a_failure(self) -> None:
        """A call that fails calls nobody."""
        effects.act("bad", lambda _: 1 / 0)
        effects.make_group.apply_async_on_commit(["bad"], link=double.si(1))
        assert drain_all().settled == 0

    def test_fail(self) -> None:
        """What is no signature is refused."""
        with pytest.raises(TypeError, match="is not a signature"):
            double.apply_async_on_commit([1], link="double")


class TestStart:
    """``start_on_commit``."""

    @pytest.fixture
    def eager(self) -> Iterator[None]:
        """Run tasks, those of a canvas too, where they are called."""
        conf: Any = current_app.conf
        conf.update(task_always_eager=True)
        yield
        conf.update(task_always_eager=False)

    def test_single(self) -> None:
        """The signature of a task is a durable call of it."""
        call = start_on_commit(effects.make_group.s("a"))
        assert call.task == effects.make_group.name
        drain_all()
        assert effects.names() == ["a"]

    @pytest.mark.parametrize(
        "canvas",
        [
            chain(double.s(1), double.s()),
            group(double.s(1), double.s(2)),
            chord([double.s(1)], effects.take_values.s()),
            double.s(1).set(queue="other"),
        ],
        ids=["chain", "group", "chord", "routed"],
    )
    def test_canvas(self, canvas: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """A canvas is stored with the transaction, and started by a worker."""
        sent: list[Any] = []
        monkeypatch.setattr(type(canvas), "apply_async", lambda self, *_: sent.append(self))
        with transaction.atomic():
            start_on_commit(canvas)
            transaction.set_rollback(True)
        with transaction.atomic():
            start_on_commit(canvas)
        assert OutboxCall.objects.get().task == START
        assert drain_all().settled == 1
        assert [each.task for each in sent] == [canvas.task]
        assert sent[0].options.get("queue") == canvas.options.get("queue")

    def test_methods(self) -> None:
        """A signature has the methods of a task, and takes arguments as ``delay`` does."""
        signature: Any = effects.make_group.s("a")
        signature.delay_on_commit()
        partial: Any = effects.make_group.s()
        partial.delay_on_commit("b")
        partial.apply_async_on_commit(kwargs={"name": "c"}, countdown=60)
        assert drain_all().settled == 2
        assert effects.names() == ["a", "b"]
        assert OutboxCall.objects.get().task == effects.make_group.name

    def test_methods_of_a_canvas(self) -> None:
        """So has a canvas, which a worker starts."""
        canvas: Any = chain(double.s(1), double.s())
        assert canvas.delay_on_commit().task == START
        both: Any = group(double.s(1), double.s(2))
        assert both.apply_async_on_commit(using="default").task == START

    @pytest.mark.parametrize(
        "canvas",
        [
            chain(double.s(), add.s(1)),
            group(add.s(1), add.s(2)),
            chord([add.s(1), add.s(2)], take_all.s()),
            group(chain(double.s(), add.s(1)), add.s(2)),
            add.s(1).set(priority=3),
            chain(double.si(1), double.si(2)),
        ],
        ids=["chain", "group", "chord", "nested", "routed", "immutable"],
    )
    @pytest.mark.usefixtures("eager")
    def test_arguments_of_a_canvas(self, canvas: Any) -> None:
        """A canvas gets the arguments that it gets from ``delay``, and so does what is linked."""
        ends = []
        for start in (canvas.delay, canvas.delay_on_commit):
            seen.clear()
            start(5)
            ends.append(seen[:])
        seen.clear()
        take_all.apply_async_on_commit([5], link=canvas.clone())
        assert ends == [seen[1:], seen[1:]]
        assert len(seen) > 1

    @pytest.mark.parametrize(
        "canvas",
        [chain(double.s(1), add.s(2)), double.s(1).set(queue="other")],
        ids=["chain", "routed"],
    )
    def test_id_of_the_result(self, canvas: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """A canvas keeps the ids that ``freeze()`` gave it."""
        sent: list[Any] = []
        monkeypatch.setattr(Task, "apply_async", lambda *args, **options: sent.append(options))
        result = canvas.freeze()
        canvas.delay_on_commit()
        assert drain_all().settled == 1
        last = sent[0]["chain"][0]["options"] if sent[0].get("chain") else sent[0]
        assert last["task_id"] == result.id

    def test_of_an_unknown_task(self) -> None:
        """The signature of a task that another service has is sent there."""
        call = start_on_commit(current_app.signature("elsewhere.task", args=[1]))
        assert call.task == START


class TestNeighbours:
    """Warnings, once a task."""

    @pytest.fixture(autouse=True)
    def _warn_again(self) -> None:
        misuse_warnings._warned.clear()

    def test_message_in_an_atomic_call(self, caplog: pytest.LogCaptureFixture) -> None:
        """``delay`` within an atomic call is warned of; within any other it is not."""
        effects.act("a", lambda _: effects.take_values.delay())
        effects.act("b", lambda _: effects.take_values.delay())
        with transaction.atomic():
            effects.make_group.delay_on_commit("a")
            effects.make_group.delay_on_commit("b")
            effects.send_outside.delay_on_commit("a")
        drain_all()
        warned = [each for each in caplog.messages if "sends a message of" in each]
        assert len(warned) == 1
        assert warned[0].startswith(f"{effects.make_group.name}: sends a message of ")


class TestAnyTask:
    """``call_on_commit`` with tasks that aren't ours."""

    @pytest.mark.parametrize("base", [Task, None])
    def test_delay_keeps_celerys_defaults(self, base: Any) -> None:
        """``delay`` of a task has Celery's defaults, whatever durable calls have."""

        @shared_task(name=f"tests.defaults.{base}", **({"base": base} if base else {}))
        def plain() -> None: ...

        task: Any = current_app.tasks[f"tests.defaults.{base}"]
        assert (task.max_retries, task.default_retry_delay) == (3, 180)
        assert not getattr(task, "retry_backoff", False)
        assert call_on_commit(task).task == task.name
