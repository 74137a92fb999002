"""The outbox in the admin, as a person with a browser meets it."""

import html
import re
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import Permission, User
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse

from aftercommit.models import OutboxBatch, OutboxCall, OutboxWorker
from tests.factories import UserFactory
from tests.unit.aftercommit.calls import MAKE_GROUP, Status, calls, make_call
from tests.unit.aftercommit.observe import statements

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "admin:aftercommit_outboxcall_changelist"
HIDDEN = re.compile(r'<input type="hidden" name="([a-z_]+)" value="([^"]*)">')
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


def choose(client: Client, action: str, *chosen: OutboxCall, **query: str) -> Any:
    """Choose the calls and the action; the response, which is the question."""
    data = {"action": action, "index": "0", "_selected_action": [call.pk for call in chosen]}
    return client.post(f"{reverse(LIST)}?{urlencode(query)}", data, follow=True)


def confirm(client: Client, question: Any) -> str:
    """Send the question's form; the messages on the page that follows."""
    inputs = dict(HIDDEN.findall(question.content.decode()))
    response = client.post(question.request["PATH_INFO"], inputs, follow=True)
    assert response.status_code == 200
    return said(response)


def said(response: Any) -> str:
    """The messages on a page."""
    return " ".join(str(message) for message in response.context["messages"])


def operate(client: Client, action: str, *chosen: OutboxCall) -> str:
    """Choose the calls and the action, and confirm; the messages on the page that follows."""
    return confirm(client, choose(client, action, *chosen))


def text_of(response: Any) -> str:
    """The page as a person reads it: without its tags, in single spaces."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", response.content.decode())).split())


def page(client: Client, call: OutboxCall | None = None) -> str:
    """The page of a call, or the list."""
    url = reverse("admin:aftercommit_outboxcall_change", args=[call.pk]) if call else reverse(LIST)
    response = client.get(url)
    assert response.status_code == 200
    return response.content.decode()


def url_of(page: str, model: str, pk: int) -> str:
    """The address of a page that changes something."""
    return reverse(f"admin:aftercommit_{model}_{page}", args=[] if page == "add" else [pk])


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


DONE = {"retry": "made due again", "discard": "discarded"}
BOTH = pytest.mark.parametrize("action", DONE)


class TestActions:
    """Retry and discard, from the list."""

    def test_retry(self, admin: Client) -> None:
        """Makes dead and uncertain calls due again, and says how many."""
        held = make_call(status=Status.DEAD), make_call(status=Status.UNCERTAIN)
        assert operate(admin, "retry", *held) == "2 of 2 calls made due again."
        assert calls().filter(status=Status.PENDING).count() == 2

    def test_discard(self, admin: Client) -> None:
        """Deletes the chosen ones only, and says how many."""
        call, other = make_call(status=Status.DEAD), make_call(status=Status.DEAD)
        assert operate(admin, "discard", call) == "1 of 1 call discarded."
        assert calls().get() == other

    def test_discard_of_an_unknown_task(self, admin: Client) -> None:
        """Deletes pending calls too if nobody has their task; the question names the task."""
        waiting, known = make_call(task="gone.tasks.gone"), make_call()
        question = choose(admin, "discard", waiting, known)
        assert "Pending: 1 of gone.tasks.gone, which neither this code" in text_of(question)
        assert confirm(admin, question) == "1 of 1 call discarded."
        assert calls().get() == known

    @BOTH
    def test_question(self, admin: Client, action: str) -> None:
        """Asks first, and does nothing: how many of each task and status, and which are left."""
        made = [make_call(status=Status.DEAD, task="other.tasks.other") for _ in range(2)]
        made += [make_call(status=Status.UNCERTAIN), make_call()]
        question = choose(admin, action, *made)
        text = text_of(question)
        assert f"{action.capitalize()} 3 calls?" in text
        counts, _, left = text.partition("Left as they are")
        assert "other.tasks.other Dead 2" in counts
        assert f"{MAKE_GROUP} Uncertain 1" in counts
        assert f"Only dead and uncertain calls can be {action[:4]}" in left
        assert f"{MAKE_GROUP} Pending 1" in left
        assert f'value="Yes, {action} 3 calls"' in question.content.decode()
        assert calls().filter(status=Status.PENDING).count() == 1
        assert calls().count() == 4

    def test_question_about_a_second_effect(self, admin: Client) -> None:
        """Says of uncertain calls that retrying them may have their effect twice."""
        text = text_of(choose(admin, "retry", make_call(status=Status.UNCERTAIN)))
        assert "Uncertain: 1. Each may have had its effect" in text
        text = text_of(choose(admin, "retry", make_call(status=Status.DEAD)))
        assert "Uncertain:" not in text

    def test_question_about_an_unknown_task(self, admin: Client) -> None:
        """Says of a retried call's task that this code doesn't have it."""
        call = make_call(status=Status.DEAD, task="gone.tasks.gone")
        assert "No task gone.tasks.gone in this code." in text_of(choose(admin, "retry", call))

    @BOTH
    def test_nothing_to_ask(self, admin: Client, action: str) -> None:
        """Asks nothing where it would do nothing, and says why."""
        message = said(choose(admin, action, make_call(), make_call()))
        start = f"0 of 2 calls {DONE[action]}. Only dead and uncertain calls can be "
        assert message.startswith(start)
        assert calls().filter(status=Status.PENDING).count() == 2

    @BOTH
    def test_only_what_was_shown(self, admin: Client, action: str) -> None:
        """Leaves a call that has died since the question, though all were chosen."""
        call = make_call(status=Status.DEAD)
        data = {"action": action, "select_across": "1", "_selected_action": [call.pk], "index": "0"}
        question = admin.post(reverse(LIST), data)
        late = make_call(status=Status.DEAD)
        assert confirm(admin, question).startswith("1 of 1 call ")
        assert calls().get(status=Status.DEAD) == late

    @BOTH
    def test_changed_since(self, admin: Client, action: str) -> None:
        """Leaves a call that is no longer dead, and says so."""
        first, second = make_call(status=Status.DEAD), make_call(status=Status.DEAD)
        question = choose(admin, action, first, second)
        calls().filter(pk=second.pk).update(status=Status.RUNNING)
        assert confirm(admin, question) == (
            f"1 of 2 calls {DONE[action]}. The others have changed since you were asked, or change "
            "at this moment."
        )
        assert calls().get(pk=second.pk).status == Status.RUNNING

    @BOTH
    def test_confirmed_twice(self, admin: Client, action: str) -> None:
        """Does nothing more at a second click."""
        question = choose(admin, action, make_call(status=Status.DEAD))
        confirm(admin, question)
        assert confirm(admin, question).startswith(f"0 of 1 call {DONE[action]}. The others have")

    def test_many(self, admin: Client) -> None:
        """Takes more calls than Django lets a form have fields."""
        make_call(status=Status.DEAD)
        columns = OutboxCall.objects.values("task", "payload", "context", "status").get()
        copies = [OutboxCall(pk=pk, **columns) for pk in range(1, 1200)]
        OutboxCall.objects.bulk_create(copies)
        data = {"action": "discard", "select_across": "1", "_selected_action": ["1"], "index": "0"}
        question = admin.post(reverse(LIST), data)
        assert "Discard 1,200 calls?" in text_of(question)
        assert confirm(admin, question) == "1,200 of 1,200 calls discarded."
        assert not calls().exists()

    @BOTH
    def test_too_many(self, admin: Client, action: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Refuses more than one request can take, and says what to do."""
        monkeypatch.setattr("aftercommit.operations.model_admin.MOST", 1)
        message = said(choose(admin, action, *(make_call(status=Status.DEAD) for _ in range(2))))
        assert message.endswith("Nothing was changed: choose at most 1 at a time, by a filter.")
        assert calls().filter(status=Status.DEAD).count() == 2

    @pytest.mark.parametrize("ids", ["", "x", "1,", "1;2", "-1", "1" * 20])
    def test_fail_ids(self, admin: Client, ids: str) -> None:
        """Refuses what no question would send, without an error of the server."""
        call = make_call(status=Status.DEAD)
        data = {"action": "discard", "_selected_action": [call.pk], "post": "yes", "ids": ids}
        assert admin.post(reverse(LIST), data).status_code == 400
        assert calls().get() == call

    def test_filtered_list(self, admin: Client) -> None:
        """Works on a filtered list, and leads back to it."""
        call = make_call(status=Status.DEAD)
        question = choose(admin, "retry", call, status__exact="dead")
        inputs = dict(HIDDEN.findall(question.content.decode()))
        url = f"{reverse(LIST)}?status__exact=dead"
        assert admin.post(url, inputs).headers["Location"] == url
        assert calls().get().status == Status.PENDING

    @BOTH
    def test_permission(self, client: Client, action: str) -> None:
        """Are for who may change calls."""
        browser = staff(client, "change_outboxcall")
        assert operate(browser, action, make_call(status=Status.DEAD)).startswith("1 of 1")

    @BOTH
    @pytest.mark.parametrize("post", [{}, {"post": "yes"}])
    def test_no_permission(self, client: Client, action: str, post: dict[str, str]) -> None:
        """Are neither offered to nor done for who may only look."""
        browser = staff(client, "view_outboxcall")
        call = make_call(status=Status.DEAD)
        assert f'value="{action}"' not in page(browser)
        data = {"action": action, "_selected_action": [call.pk], **post}
        assert browser.post(reverse(LIST), data).status_code == 403
        call.refresh_from_db()
        assert call.status == Status.DEAD

    def test_strangers(self, client: Client) -> None:
        """Who has no permission doesn't see the list."""
        assert staff(client).get(reverse(LIST)).status_code == 403

    @BOTH
    def test_csrf(self, admin: Client, action: str) -> None:
        """Are refused to a form of another site."""
        call = make_call(status=Status.DEAD)
        admin.handler.enforce_csrf_checks = True
        data = {"action": action, "_selected_action": [call.pk], "post": "yes"}
        assert admin.post(reverse(LIST), data).status_code == 403
        assert admin.post(url_of(action, "outboxcall", call.pk), data).status_code == 403
        assert calls().get().status == Status.DEAD


class TestButtons:
    """Retry and discard, from a call's own page."""

    def buttons(self, client: Client, call: OutboxCall) -> list[str]:
        """The buttons on the call's page."""
        tools = page(client, call).partition('<ul class="object-tools">')[2].partition("</ul>")[0]
        return [label for label in ("Retry", "Discard") if f">{label}</a>" in tools]

    def test_held(self, admin: Client) -> None:
        """Both are there for a dead and an uncertain call."""
        for status in (Status.DEAD, Status.UNCERTAIN):
            assert self.buttons(admin, make_call(status=status)) == ["Retry", "Discard"]

    def test_others(self, admin: Client) -> None:
        """There is none for a call that settles by itself."""
        for status in (Status.PENDING, Status.RUNNING):
            assert self.buttons(admin, make_call(status=status)) == []

    def test_unknown_task(self, admin: Client) -> None:
        """One that waits for a task that nobody has can be discarded."""
        assert self.buttons(admin, make_call(task="gone.tasks.gone")) == ["Discard"]

    @BOTH
    def test_asks(self, admin: Client, action: str) -> None:
        """A button leads to the question, and a look at that changes nothing."""
        call = make_call(status=Status.DEAD)
        url = url_of(action, "outboxcall", call.pk)
        assert f'href="{url}"' in page(admin, call)
        question = admin.get(url)
        assert f"{action.capitalize()} 1 call?" in text_of(question)
        assert calls().get().status == Status.DEAD
        assert admin.get(url, {"post": "yes", "ids": str(call.pk)}).status_code == 200
        assert calls().get().status == Status.DEAD

    def test_retry(self, admin: Client) -> None:
        """Confirmed, it is done, and leads back to the call."""
        call = make_call(status=Status.DEAD)
        url = url_of("retry", "outboxcall", call.pk)
        response = admin.post(url, dict(HIDDEN.findall(admin.get(url).content.decode())))
        assert response.headers["Location"] == url_of("change", "outboxcall", call.pk)
        assert calls().get().status == Status.PENDING

    def test_discard(self, admin: Client) -> None:
        """A call that is discarded has no page: it leads to the list."""
        url = url_of("discard", "outboxcall", make_call(status=Status.DEAD).pk)
        response = admin.post(url, dict(HIDDEN.findall(admin.get(url).content.decode())))
        assert response.headers["Location"] == reverse(LIST)
        assert not calls().exists()

    @pytest.mark.parametrize("pk", ["1", "x", "9" * 30])
    def test_gone(self, admin: Client, pk: str) -> None:
        """A call that was settled meanwhile is said to be gone."""
        url = reverse("admin:aftercommit_outboxcall_retry", args=[pk])
        for response in (
            admin.get(url, follow=True),
            admin.post(url, {"post": "yes"}, follow=True),
        ):
            assert said(response) == "The call is no longer there. Nothing was changed."

    @BOTH
    def test_no_permission(self, client: Client, action: str) -> None:
        """Who may only look has no button, and is refused."""
        browser = staff(client, "view_outboxcall")
        call = make_call(status=Status.DEAD)
        assert self.buttons(browser, call) == []
        url = url_of(action, "outboxcall", call.pk)
        assert browser.get(url).status_code == 403
        assert browser.post(url, {"post": "yes"}).status_code == 403
        assert calls().get().status == Status.DEAD

    def test_logged_out(self, client: Client) -> None:
        """Who isn't logged in is asked to."""
        url = url_of("retry", "outboxcall", make_call(status=Status.DEAD).pk)
        response = client.post(url, {"post": "yes"})
        assert (response.status_code, "login" in response.headers["Location"]) == (302, True)
        assert calls().get(task=MAKE_GROUP).status == Status.DEAD

    def test_escaping(self, admin: Client) -> None:
        """The question shows HTML in a task's name as text."""
        evil = "<script>alert(1)</script>"
        call = make_call(task=evil, status=Status.DEAD)
        text = admin.get(url_of("retry", "outboxcall", call.pk)).content.decode()
        assert evil not in text
        assert "&lt;script&gt;alert(1)" in text


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

    @pytest.mark.parametrize("payload", ["{not json", "[" * 100_000])
    def test_unreadable(self, admin: Client, payload: str) -> None:
        """Shows arguments that are no JSON, or too deep, as they are."""
        assert f"<pre>{payload}</pre>" in page(admin, make_call(payload=payload))

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
    response = admin.get(reverse("admin:aftercommit_outboxbatch_changelist"))
    assert "host:4711" in response.content.decode()


def test_workers(admin: Client, settings: Any) -> None:
    """The workers can be looked at, and which of them live; nothing of them can be changed."""
    settings.OUTBOX_STALE_WORKER = 30
    OutboxWorker.objects.create(name="live@web", host="web", pid=1)
    hour_ago = Now() - timedelta(hours=1)
    lost = OutboxWorker.objects.create(name="lost@web", host="web", pid=2, seen_at=hour_ago)
    text = admin.get(reverse("admin:aftercommit_outboxworker_changelist")).content.decode()
    live_row, lost_row = text.partition("live@web")[2].split("lost@web")[:2]
    assert 'alt="True"' in live_row
    assert 'alt="False"' in lost_row
    for name in PAGES:
        response = admin.post(url_of(name, "outboxworker", lost.pk), {"post": "yes"})
        assert response.status_code == 403
    assert OutboxWorker.objects.count() == 2
