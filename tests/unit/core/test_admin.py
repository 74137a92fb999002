"""The outbox in the admin, as a person with a browser meets it."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse

from core.models import OutboxBatch, OutboxCall, OutboxWorker
from tests.factories import UserFactory
from tests.unit.core.calls import MAKE_GROUP, Status, calls, make_call
from tests.unit.core.observe import statements

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "admin:core_outboxcall_changelist"
PAGES = ("add", "change", "delete")


@pytest.fixture
def admin(client: Client) -> Client:
    """A browser in which a superuser is logged in."""
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    OutboxCall.objects.all().delete()
    return client


def staff(client: Client, *permissions: str) -> Client:
    """The browser, with a member of the staff logged in who has these permissions only."""
    user: User = UserFactory(is_staff=True)
    for name in permissions:
        user.user_permissions.add(Permission.objects.get(codename=name))
    client.force_login(user)
    OutboxCall.objects.all().delete()
    return client


def operate(client: Client, action: str, *chosen: OutboxCall) -> str:
    """Choose the calls, run the action; the messages on the page that follows."""
    data = {"action": action, "_selected_action": [call.pk for call in chosen]}
    response = client.post(reverse(LIST), data, follow=True)
    assert response.status_code == 200
    return " ".join(str(message) for message in response.context["messages"])


def page(client: Client, call: OutboxCall | None = None) -> str:
    """The page of a call, or the list."""
    url = reverse("admin:core_outboxcall_change", args=[call.pk]) if call else reverse(LIST)
    response = client.get(url)
    assert response.status_code == 200
    return response.content.decode()


def url_of(page: str, model: str, pk: int) -> str:
    """The address of a page that changes something."""
    return reverse(f"admin:core_{model}_{page}", args=[] if page == "add" else [pk])


class TestReadOnly:
    """Nothing can be written by hand, not even by a superuser."""

    @pytest.mark.parametrize("name", PAGES)
    def test_call(self, admin: Client, name: str) -> None:
        """A call can't be added, changed or deleted."""
        call = make_call()
        data = {"task": "evil", "status": "dead", "post": "yes"}
        response = admin.post(url_of(name, "outboxcall", call.pk), data)
        assert response.status_code == 403
        assert OutboxCall.objects.get().task == MAKE_GROUP

    @pytest.mark.parametrize("name", PAGES)
    def test_batch(self, admin: Client, name: str) -> None:
        """Nor can a batch."""
        batch = OutboxBatch.objects.create(task=MAKE_GROUP, calls=[1], worker="host:1")
        response = admin.post(url_of(name, "outboxbatch", batch.pk), {"post": "yes"})
        assert response.status_code == 403
        assert OutboxBatch.objects.get() == batch

    def test_no_deletion_in_bulk(self, admin: Client) -> None:
        """The admin's own action to delete is not offered, and does nothing."""
        call = make_call(status=Status.DEAD)
        assert "delete_selected" not in page(admin)
        data = {"action": "delete_selected", "_selected_action": [call.pk], "post": "yes"}
        admin.post(reverse(LIST), data, follow=True)
        assert OutboxCall.objects.exists()

    def test_no_buttons(self, admin: Client) -> None:
        """A call's page has nothing to save or delete."""
        text = page(admin, make_call())
        assert 'name="_save"' not in text
        assert "deletelink" not in text


class TestActions:
    """Retry and discard."""

    def test_retry(self, admin: Client) -> None:
        """Makes dead and uncertain calls due again, and says how many."""
        held = make_call(status=Status.DEAD), make_call(status=Status.UNCERTAIN)
        assert operate(admin, "retry", *held) == "2 of 2 calls made due again."
        assert calls().filter(status=Status.PENDING).count() == 2

    def test_discard(self, admin: Client) -> None:
        """Deletes the chosen ones only, and says how many."""
        call, other = make_call(status=Status.DEAD), make_call(status=Status.DEAD)
        assert operate(admin, "discard", call) == "1 of 1 calls discarded."
        assert calls().get() == other

    @pytest.mark.parametrize("action", ["retry", "discard"])
    def test_others(self, admin: Client, action: str) -> None:
        """Leave what settles by itself, and say why."""
        dead, pending = make_call(status=Status.DEAD), make_call()
        message = operate(admin, action, dead, pending)
        assert message.startswith("1 of 2 calls ")
        assert message.endswith(
            "Only dead and uncertain ones can be; the others settle by themselves."
        )
        pending.refresh_from_db()
        assert pending.status == Status.PENDING

    @pytest.mark.parametrize("action", ["retry", "discard"])
    def test_permission(self, client: Client, action: str) -> None:
        """Are for who may change calls."""
        browser = staff(client, "change_outboxcall")
        assert operate(browser, action, make_call(status=Status.DEAD)).startswith("1 of 1")

    @pytest.mark.parametrize("action", ["retry", "discard"])
    def test_no_permission(self, client: Client, action: str) -> None:
        """Are neither offered to nor done for who may only look."""
        browser = staff(client, "view_outboxcall")
        call = make_call(status=Status.DEAD)
        assert f'value="{action}"' not in page(browser)
        assert operate(browser, action, call) == ""
        call.refresh_from_db()
        assert call.status == Status.DEAD

    def test_strangers(self, client: Client) -> None:
        """Who has no permission doesn't see the list."""
        assert staff(client).get(reverse(LIST)).status_code == 403


class TestList:
    """The list of calls."""

    def test_constant_number_of_queries(self, admin: Client) -> None:
        """Costs as many queries for thirty calls as for one."""
        make_call(error="It broke.")
        page(admin)
        with statements() as one:
            page(admin)
        for number in range(29):
            make_call(f"name {number}", status=Status.DEAD, error="It broke.")
        with statements() as thirty:
            text = page(admin)
        assert thirty == one
        assert text.count("It broke.") == 30

    def test_newest_first(self, admin: Client) -> None:
        """Shows the newest call on top."""
        first, second = make_call("first"), make_call("second")
        assert second.pk > first.pk
        text = page(admin)
        assert text.index("second") < text.index("first&quot;")

    def test_long_arguments(self, admin: Client) -> None:
        """Shortens long arguments to 60 characters; the call's page has all of them."""
        call = make_call("y" * 500)
        text = page(admin)
        assert "y" * 61 not in text
        assert "yyy…" in text
        assert "y" * 500 in page(admin, call)

    def test_short_arguments(self, admin: Client) -> None:
        """Shows short ones whole."""
        make_call(payload="z" * 60)
        assert "z" * 60 in page(admin)

    def test_last_line_of_the_error(self, admin: Client) -> None:
        """Shows what went wrong in one line of at most 100 characters."""
        make_call(
            error="Traceback (most recent call last):\n  File\nValueError: " + "v" * 500 + "\n"
        )
        text = page(admin)
        assert "ValueError: vvv" in text
        assert "Traceback" not in text
        assert "v" * 100 not in text

    @pytest.mark.parametrize("field", ["task", "payload", "error"])
    def test_search(self, admin: Client, field: str) -> None:
        """Finds calls by task, arguments and error."""
        call, other = make_call(**{field: "needle"}), make_call()
        response = admin.get(reverse(LIST), {"q": "needle"})
        found: Any = response.context["cl"].result_list
        assert list(found) == [call]
        assert other not in found

    def test_filter(self, admin: Client) -> None:
        """Can be narrowed to a status and a task."""
        call = make_call(status=Status.DEAD)
        make_call()
        make_call(status=Status.DEAD, task="other.tasks.other")
        response = admin.get(reverse(LIST), {"status__exact": "dead", "task": MAKE_GROUP})
        assert list(response.context["cl"].result_list) == [call]


class TestPage:
    """The page of one call."""

    def test_arguments(self, admin: Client) -> None:
        """Shows the arguments indented, in their own letters."""
        text = page(admin, make_call("Zoë"))
        assert "<pre>[\n  [\n    &quot;Zoë&quot;\n  ],\n  {}\n]</pre>" in text

    def test_unreadable(self, admin: Client) -> None:
        """Shows arguments that are no JSON as they are."""
        assert "<pre>{not json</pre>" in page(admin, make_call(payload="{not json"))

    def test_error(self, admin: Client) -> None:
        """Shows the whole error, or that there is none."""
        assert "<pre>Traceback\n  line\nValueError</pre>" in page(
            admin, make_call(error="Traceback\n  line\nValueError")
        )
        assert "<pre>none</pre>" in page(admin, make_call())

    def test_escaping(self, admin: Client) -> None:
        """Shows HTML in arguments, error and task as text, here and in the list."""
        evil = "<script>alert(1)</script>"
        call = make_call(evil, error=f"ValueError: {evil}", task=evil, context=f'["{evil}"]')
        for text in (page(admin, call), page(admin)):
            assert evil not in text
            assert text.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 3

    def test_escaping_of_unreadable(self, admin: Client) -> None:
        """Also in arguments that can't be read."""
        assert "<pre>&lt;b&gt;</pre>" in page(admin, make_call(payload="<b>"))


def test_batches(admin: Client) -> None:
    """The running batches can be looked at: whose they are."""
    OutboxBatch.objects.create(task=MAKE_GROUP, calls=[1, 2], worker="host:4711")
    response = admin.get(reverse("admin:core_outboxbatch_changelist"))
    assert "host:4711" in response.content.decode()


def test_workers(admin: Client, settings: Any) -> None:
    """The workers can be looked at, and which of them live; nothing of them can be changed."""
    settings.OUTBOX_STALE_WORKER = 30
    OutboxWorker.objects.create(name="live@web", host="web", pid=1)
    hour_ago = Now() - timedelta(hours=1)
    lost = OutboxWorker.objects.create(name="lost@web", host="web", pid=2, seen_at=hour_ago)
    text = admin.get(reverse("admin:core_outboxworker_changelist")).content.decode()
    live_row, lost_row = text.partition("live@web")[2].split("lost@web")[:2]
    assert 'alt="True"' in live_row
    assert 'alt="False"' in lost_row
    for name in PAGES:
        response = admin.post(url_of(name, "outboxworker", lost.pk), {"post": "yes"})
        assert response.status_code == 403
    assert OutboxWorker.objects.count() == 2
