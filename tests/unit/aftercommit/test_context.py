"""Who does what, and how that follows a call into its task."""

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.test import AsyncClient, Client
from django.urls import path
from pytest_django import Settings

from aftercommit.context import Context, ContextMiddleware, current, use
from aftercommit.models import OutboxCall
from aftercommit.worker.drain import drain_all
from core import urls
from tests.factories import UserFactory
from tests.unit.aftercommit import effects
from tests.unit.aftercommit.observe import statements

pytestmark = pytest.mark.django_db


def tell(request: HttpRequest) -> HttpResponse:
    """The context that the view runs in."""
    return JsonResponse(current()._asdict())


def tell_late(request: HttpRequest) -> HttpResponse:
    """The same, after the view itself has found out who asks, as token authentication does."""
    request.user = User.objects.get(username=request.headers["X-Token"])
    return tell(request)


def enqueue(request: HttpRequest) -> HttpResponse:
    """Has a task called."""
    effects.make_group.delay_on_commit("from a request")
    return HttpResponse()


def ignore(request: HttpRequest) -> HttpResponse:
    """Asks nothing."""
    return HttpResponse()


def fail(request: HttpRequest) -> HttpResponse:
    """Fails."""
    raise ZeroDivisionError


def stream(request: HttpRequest) -> StreamingHttpResponse:
    """Has a task called by each part of its response."""

    def parts() -> Iterator[str]:
        for name in "ab":
            effects.make_group.delay_on_commit(name)
            yield name

    return StreamingHttpResponse(parts())


async def enqueue_async(request: HttpRequest) -> HttpResponse:
    """Has a task called, from a coroutine."""
    call = await effects.make_group.adelay_on_commit("from a coroutine")
    return HttpResponse(call.id)


async def stream_async(request: HttpRequest) -> StreamingHttpResponse:
    """Has a task called by each part of its response, from coroutines."""

    async def parts() -> AsyncIterator[str]:
        for name in "ab":
            await effects.make_group.adelay_on_commit(name)
            yield name

    return StreamingHttpResponse(parts())


views = (tell, tell_late, enqueue, ignore, fail, stream, enqueue_async, stream_async)
urlpatterns = [*(path(f"{view.__name__}/", view) for view in views), *urls.urlpatterns]


@pytest.fixture(autouse=True)
def _urls(settings: Settings) -> None:
    """The site has the views above too."""
    settings.ROOT_URLCONF = __name__


class TestRequestId:
    """The ``X-Request-ID`` of a response."""

    def test_new(self, client: Client) -> None:
        """Is one of 32 characters that no other request has, and is the context's."""
        responses = [client.get("/tell/") for _ in range(2)]
        ids = [response["X-Request-ID"] for response in responses]
        assert [len(request_id) for request_id in ids] == [32, 32]
        assert ids[0] != ids[1]
        assert [response.json()["request_id"] for response in responses] == ids

    @pytest.mark.parametrize("given", ["a", "A-1.b_2", "x" * 64])
    def test_logged(self, client: Client, caplog: pytest.LogCaptureFixture, given: str) -> None:
        """Is never the client's: that is logged beside it, in a field of its own."""
        caplog.set_level("INFO", "aftercommit.context")
        response = client.get("/tell/", headers={"X-Request-ID": given})
        assert len(response["X-Request-ID"]) == 32
        assert response.json()["request_id"] == response["X-Request-ID"]
        [record] = caplog.records
        fields = (record.request_id, record.client_request_id)
        assert fields == (response["X-Request-ID"], given)
        assert record.getMessage() == f"Request {fields[0]} came as {given}"

    def test_not_another_requests(self, client: Client) -> None:
        """So nobody can have their changes logged as those of a request that they know."""
        known = client.get("/tell/")["X-Request-ID"]
        assert client.get("/tell/", headers={"X-Request-ID": known})["X-Request-ID"] != known

    @pytest.mark.parametrize("given", ["", "x" * 65, "a b", "a\nb", "a\n", "<b>", "é", "٣", "\x1b"])
    def test_not_logged(self, client: Client, caplog: pytest.LogCaptureFixture, given: str) -> None:
        """What is no name is left out."""
        caplog.set_level("INFO", "aftercommit.context")
        response = client.get("/tell/", headers={"X-Request-ID": given})
        assert len(response["X-Request-ID"]) == 32
        assert caplog.records == []

    def test_error(self, client: Client) -> None:
        """Is there also when the view fails."""
        client.raise_request_exception = False
        response = client.get("/fail/")
        assert (response.status_code, len(response["X-Request-ID"])) == (500, 32)


class TestActor:
    """Who the context of a request names."""

    def test_anonymous(self, client: Client) -> None:
        """Nobody, but the client's address."""
        response = client.get("/tell/", REMOTE_ADDR="::1")
        request_id = response["X-Request-ID"]
        nobody = {"actor_id": "", "actor": "", "request_id": request_id, "address": "::1"}
        assert response.json() == nobody

    def test_no_address(self, client: Client) -> None:
        """No address where there is none, as behind a Unix socket."""
        assert client.get("/tell/", REMOTE_ADDR="").json()["address"] == ""

    def test_logged_in(self, client: Client) -> None:
        """The user who is logged in, by key and name."""
        user = UserFactory()
        client.force_login(user)
        context = client.get("/tell/").json()
        assert (context["actor_id"], context["actor"]) == (str(user.pk), user.username)

    def test_late(self, client: Client) -> None:
        """The user whom the view itself found."""
        user = UserFactory()
        context = client.get("/tell_late/", headers={"X-Token": user.username}).json()
        assert (context["actor_id"], context["actor"]) == (str(user.pk), user.username)

    def test_lazy(self, client: Client) -> None:
        """The user isn't loaded for a request that asks nothing."""
        client.force_login(UserFactory())
        with statements() as run:
            client.get("/ignore/")
        assert run == []

    def test_without_authentication(self, settings: Settings, client: Client) -> None:
        """Nobody, on a site that has no users."""
        settings.MIDDLEWARE = ["aftercommit.context.ContextMiddleware"]
        assert client.get("/tell/").json()["actor"] == ""

    @pytest.mark.parametrize("user", [None, AnonymousUser(), object()])
    def test_of_nobody(self, user: Any) -> None:
        """``of_user`` takes nobody, in any shape."""
        assert Context.of_user(user, "r", "a") == Context("", "", "r", "a")


@pytest.mark.django_db(transaction=True)
class TestTask:
    """The context that a task runs in."""

    def test_request(self, client: Client) -> None:
        """Is that of the request that had it called."""
        user = UserFactory()
        client.force_login(user)
        drain_all()
        effects.reset()
        request_id = client.get("/enqueue/", REMOTE_ADDR="192.0.2.7")["X-Request-ID"]
        drain_all()
        assert effects.contexts == [Context(str(user.pk), user.username, request_id, "192.0.2.7")]
        assert current() == Context()

    def test_coroutine(self, client: Client) -> None:
        """Is an async view's too, which answers under WSGI as under ASGI."""
        assert client.get("/enqueue_async/").status_code == 200
        drain_all()
        assert effects.names() == ["from a coroutine"]

    def test_call_of_a_task(self) -> None:
        """Passes on to the calls that the task makes."""
        effects.act("first", lambda _: effects.make_group.delay_on_commit("second"))
        context = Context("1", "mara", "r1", "::1")
        with use(context):
            effects.make_group.delay_on_commit("first")
        drain_all()
        assert effects.names() == ["first", "second"]
        assert effects.contexts == [context, context]

    def test_each_its_own(self) -> None:
        """Is each call's own, in one batch."""
        for name in ("ann", "bo"):
            with use(Context(actor=name)):
                effects.make_group.delay_on_commit(name)
        effects.make_group.delay_on_commit("nobody")
        drain_all()
        assert [context.actor for context in effects.contexts] == ["ann", "bo", ""]

    def test_time_of_the_call(self) -> None:
        """Is that of the call, not of the commit."""
        with use(Context(actor="ann")):
            effects.make_group.delay_on_commit("x")
        with use(Context(actor="bo")):
            drain_all()
            assert current().actor == "bo"
        assert [context.actor for context in effects.contexts] == ["ann"]


class TestUse:
    """``with use(context)``."""

    def test_default(self) -> None:
        """Outside of any, nothing is known."""
        assert current() == Context()

    def test_nested(self) -> None:
        """The innermost holds, and the outer one again after it, also after an error."""
        with use(Context(actor="outer")):
            with suppress(ZeroDivisionError), use(Context(actor="inner")):
                assert current().actor == "inner"
                raise ZeroDivisionError
            assert current().actor == "outer"
        assert current() == Context()

    def test_function(self) -> None:
        """A function is asked each time."""
        names = iter("ab")
        with use(lambda: Context(actor=next(names))):
            assert [current().actor, current().actor] == ["a", "b"]

    def test_immutable(self) -> None:
        """A context that was handed out can't be changed."""
        with pytest.raises(AttributeError):
            current().actor = "somebody"  # type: ignore[misc]


class TestLeaks:
    """A context doesn't get where it doesn't belong."""

    def test_next_request(self, client: Client) -> None:
        """Not into what the thread does after the request, nor if it failed."""
        client.raise_request_exception = False
        for url in ("/tell/", "/fail/"):
            client.get(url)
            assert current() == Context()

    def test_failing_middleware(self) -> None:
        """Not even if nobody turned the view's error into a response."""

        def get_response(request: HttpRequest) -> HttpResponse:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            ContextMiddleware(get_response)(HttpRequest())
        assert current() == Context()

    def test_threads(self) -> None:
        """Not into another thread that runs at the same time."""
        both, seen = threading.Barrier(2, timeout=10), {}

        def run(name: str) -> None:
            with use(Context(actor=name)):
                both.wait()
                seen[name] = current().actor
                both.wait()

        threads = [threading.Thread(target=run, args=[name]) for name in ("ann", "bo")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=10)
        assert seen == {"ann": "ann", "bo": "bo"}
        assert current() == Context()


@pytest.mark.django_db(transaction=True)
class TestStreaming:
    """Calls that are made after the view has returned."""

    def test_actor(self, client: Client) -> None:
        """A streaming response's calls have their request's context."""
        user = UserFactory()
        client.force_login(user)
        response: Any = client.get("/stream/")
        assert b"".join(response.streaming_content) == b"ab"
        assert current() == Context()
        drain_all()
        found = [(each.actor, each.request_id) for each in effects.contexts]
        assert found == [(user.username, response["X-Request-ID"])] * 2

    def test_async(self, async_client: AsyncClient) -> None:
        """So have those of an asynchronous one."""

        async def get() -> tuple[str, bytes]:
            response: Any = await async_client.get("/stream_async/")
            parts = [part async for part in response.streaming_content]
            return response["X-Request-ID"], b"".join(parts)

        request_id, body = async_to_sync(get)()
        assert body == b"ab"
        drain_all()
        assert [each.request_id for each in effects.contexts] == [request_id] * 2


@pytest.mark.django_db(transaction=True)
def test_async_view(async_client: AsyncClient) -> None:
    """A coroutine has a task called, in the context of its request, by ``adelay_on_commit``."""
    get: Any = async_to_sync(async_client.get)
    response = get("/enqueue_async/")
    assert OutboxCall.objects.get().pk == int(response.content)
    drain_all()
    assert [each.request_id for each in effects.contexts] == [response["X-Request-ID"]]


def test_asgi(async_client: AsyncClient) -> None:
    """Under ASGI the view runs in the request's context too."""
    get: Any = async_to_sync(async_client.get)
    response = get("/tell/")
    assert response.json()["request_id"] == response["X-Request-ID"]
    assert current() == Context()
