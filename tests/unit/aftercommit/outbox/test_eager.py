"""``CELERY_TASK_ALWAYS_EAGER``: a durable call runs at the commit, in this process."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from celery import current_app, shared_task
from django.contrib.auth.models import Group
from django.db import IntegrityError, connection, transaction
from django.test import TestCase
from django.utils import timezone

from aftercommit.call import Call
from aftercommit.context import Context, use
from aftercommit.models import OutboxCall
from tests.unit.aftercommit import effects

looked_at: list[Any] = []
created: list[Any] = []


@shared_task(batch=True)
def look_at_call(calls: Sequence[Call]) -> None:
    """Remember the values of the only call."""
    (call,) = calls
    looked_at.append((call.kwargs, call.id, call.attempts))
    created.append(call.created_at)


class Lost:
    """A carrier whose value can't be set."""

    def capture(self) -> str:
        """Return a value."""
        return "tenant"

    def restore(self, value: str) -> Any:
        """Fail."""
        raise ValueError("no tenant")


@shared_task(bind=True)
def look_at_request(self: Any) -> None:
    """Remember what the request says."""
    looked_at.append((self.request.headers, self.request.ignore_result))


def write_durably(name: str) -> None:
    """Make a row in a transaction that can't be within another."""
    with transaction.atomic(durable=True):
        Group.objects.create(name=name)


@pytest.fixture
def propagates() -> bool:
    """Whether errors reach whoever commits."""
    return False


@pytest.fixture(autouse=True)
def _eager(propagates: bool) -> Iterator[None]:
    """Celery's own way to switch it on."""
    conf: Any = current_app.conf
    conf.update(task_always_eager=True, task_eager_propagates=propagates)
    yield
    conf.update(task_always_eager=False, task_eager_propagates=False)


@pytest.mark.django_db(transaction=True)
class TestCommit:
    """With real transactions."""

    def test_runs_at_the_commit(self) -> None:
        """Not before it, and without a row."""
        with transaction.atomic():
            call = effects.make_group.delay_on_commit("a")
            assert effects.received == []
        assert effects.names() == ["a"]
        assert call.id
        assert not OutboxCall.objects.exists()

    def test_rolled_back(self) -> None:
        """A transaction that rolls back has no effect."""
        with transaction.atomic():
            effects.make_group.delay_on_commit("a")
            transaction.set_rollback(True)
        assert effects.received == []

    def test_autocommit(self) -> None:
        """Outside a transaction it runs at once."""
        effects.make_group.delay_on_commit("a")
        assert effects.names() == ["a"]

    def test_batch(self) -> None:
        """A batch task gets a list."""
        effects.make_groups.delay_on_commit(name="a")
        assert effects.names() == ["a"]

    def test_batch_of_a_whole_call(self) -> None:
        """A batch task's call has all that one has which a worker loads."""
        before = timezone.now()
        call = look_at_call.delay_on_commit(name="a")
        assert looked_at.pop() == ({"name": "a"}, call.id, 0)
        assert before <= created.pop() <= timezone.now()

    def test_context(self) -> None:
        """The context is that of the caller."""
        with use(Context("7", "ann")):
            effects.make_group.delay_on_commit("a")
        assert effects.contexts == [Context("7", "ann")]

    def test_fails(self) -> None:
        """An error is logged by Celery, leaves no half of an effect, and reaches nobody."""
        Group.objects.create(name="a")
        effects.make_group.delay_on_commit("a")
        assert effects.names() == ["a"]

    def test_leaves_no_half(self) -> None:
        """What a call that failed had written is gone."""
        effects.act("bad", lambda _: 1 / 0)
        effects.make_group.delay_on_commit("bad")
        assert effects.received == ["bad"]
        assert effects.names() == []

    def test_outside_effect(self) -> None:
        """A call with outside effects has no transaction around it, as with a worker."""
        effects.act("durable", write_durably)
        effects.send_outside.delay_on_commit("durable")
        assert effects.names() == ["durable"]

    def test_outside_effect_fails(self) -> None:
        """What it had committed before it failed stays."""

        def fail(name: str) -> None:
            write_durably(name)
            raise ValueError(name)

        effects.act("bad", fail)
        effects.send_outside.delay_on_commit("bad")
        assert effects.names() == ["bad"]

    @pytest.mark.parametrize("ignored", [True, False])
    def test_options_of_the_call(self, ignored: bool) -> None:
        """Those that Celery's own eager calls have are the call's."""
        look_at_request.apply_async_on_commit(headers={"a": 1}, ignore_result=ignored)
        assert looked_at.pop() == ({"a": 1}, ignored)

    def test_carrier_fails(self, settings: Any, caplog: pytest.LogCaptureFixture) -> None:
        """A carrier that can't set its value fails the call, and not whoever commits."""
        settings.OUTBOX_CONTEXT = {"lost": f"{__name__}.Lost"}
        effects.make_group.delay_on_commit("a")
        assert effects.received == []
        assert "no tenant" in caplog.text

    @pytest.mark.parametrize("propagates", [True])
    def test_carrier_fails_aloud(self, settings: Any) -> None:
        """With ``task_eager_propagates`` its error reaches whoever commits."""
        settings.OUTBOX_CONTEXT = {"lost": f"{__name__}.Lost"}
        with pytest.raises(ValueError, match="no tenant"):
            effects.make_group.delay_on_commit("a")

    @pytest.mark.parametrize("propagates", [True])
    def test_fails_aloud(self) -> None:
        """With ``task_eager_propagates`` it reaches whoever commits."""
        Group.objects.create(name="a")
        with pytest.raises(IntegrityError), transaction.atomic():
            effects.make_group.delay_on_commit("a")
        assert not connection.in_atomic_block

    def test_link(self) -> None:
        """What is linked to a call runs too."""
        effects.take_values.apply_async_on_commit(link=effects.make_group.si("linked"))
        assert effects.names() == ["linked"]

    def test_arguments_are_checked(self) -> None:
        """What a worker could not be given is refused here too."""
        with pytest.raises(TypeError, match="can't carry"):
            effects.take_values.delay_on_commit(group=Group())


@pytest.mark.django_db
class TestInATestCase:
    """Where nothing commits: Django's and pytest-django's ways to run what is due on commit."""

    def test_capture(self) -> None:
        """``captureOnCommitCallbacks(execute=True)`` runs the calls."""
        with TestCase.captureOnCommitCallbacks(execute=True):
            effects.make_group.delay_on_commit("a")
            effects.make_groups.delay_on_commit(name="b")
        assert effects.names() == ["a", "b"]

    def test_pytest_django(self, django_capture_on_commit_callbacks: Any) -> None:
        """So does its fixture."""
        with django_capture_on_commit_callbacks(execute=True) as callbacks:
            effects.make_group.delay_on_commit("a")
        assert effects.names() == ["a"]
        assert len(callbacks) == 1
