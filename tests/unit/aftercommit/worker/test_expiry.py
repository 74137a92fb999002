"""``expires``: calls that are too late to be run."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from aftercommit.models import OutboxCall
from aftercommit.worker.drain import drain_all
from tests.unit.aftercommit import effects

pytestmark = pytest.mark.django_db(transaction=True)


class TestExpires:
    """``expires`` of a task and of a call."""

    @pytest.mark.parametrize(
        "expires", [60, timezone.now() - timedelta(seconds=1)], ids=["seconds", "time"]
    )
    def test_too_late(self, expires: Any, caplog: pytest.LogCaptureFixture) -> None:
        """A call that is too late is not run, is counted, and is logged."""
        call = effects.make_group.apply_async_on_commit(["a"], expires=expires)
        OutboxCall.objects.update(created_at=Now() - timedelta(seconds=61))
        report = drain_all()
        assert (report.settled, report.expired) == (0, 1)
        assert effects.received == []
        assert not OutboxCall.objects.exists()
        assert f"make_group[{call.id}]: not run, since it expired" in caplog.text

    @pytest.mark.parametrize("name", ["make_group", "make_groups", "send_outside"])
    def test_of_the_task(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """The task's own holds for all its calls, of any kind."""
        task = getattr(effects, name)
        monkeypatch.setattr(task, "expires", 60)
        with transaction.atomic():
            late, _ = [task.delay_on_commit(name=name) for name in ("late", "good")]
        OutboxCall.objects.filter(pk=late.pk).update(created_at=Now() - timedelta(seconds=61))
        report = drain_all()
        assert (report.settled, report.expired) == (1, 1)
        assert effects.received == ["good"]

    @pytest.mark.parametrize("expires", [True, "soon", 1e12, float("nan"), timedelta(1)])
    def test_fail(self, expires: Any) -> None:
        """What is no time is refused at the call."""
        with pytest.raises(TypeError, match=r"expires=.* is neither a number of seconds"):
            effects.make_group.apply_async_on_commit(["a"], expires=expires)
