"""An outbox, or a database, that can't be written to."""

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import Group
from django.db import DatabaseError, OperationalError, connection, transaction
from django.test import Client
from django.urls import reverse

from aftercommit.models import OutboxCall
from content.models import Article, Comment, Product
from tests.factories import ArticleFactory, UserFactory
from tests.reliability import tasks
from tests.reliability.database.calls import PENDING, call_each, check_untouched, drain_once
from tests.reliability.database.faults import postgres_only, run, sqlite_only
from tests.reliability.state import journals
from tests.unit.aftercommit import effects

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]


class TestFull:
    """An outbox that can't be written to."""

    @pytest.fixture
    def reader(self, client: Client) -> Client:
        """A client that is logged in, and has an article to read."""
        client.force_login(UserFactory())
        ArticleFactory(published=True)
        OutboxCall.objects.all().delete()
        return client

    def refuse(self, sqlstate: str) -> None:
        """Have the server refuse rows in the outbox as it does with this error."""
        run(
            connection,
            f"""
            CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                RAISE EXCEPTION 'could not extend file' USING ERRCODE = '{sqlstate}';
            END $$;
            CREATE TRIGGER refuse BEFORE INSERT ON aftercommit_outboxcall
                FOR EACH ROW EXECUTE FUNCTION refuse();
            """,
        )

    @pytest.fixture(params=["53100", "25006"])
    def _refused(self, reader: Client, request: pytest.FixtureRequest) -> Iterator[None]:
        """The disk is full, or the database read-only, when it comes to the outbox."""
        self.refuse(request.param)
        yield
        run(connection, "DROP FUNCTION refuse CASCADE")

    @postgres_only
    @pytest.mark.usefixtures("_refused")
    def test_request(self, reader: Client) -> None:
        """The request fails as one, with the database's error, and the next one isn't affected."""
        article: Article = Article.objects.get()
        address = reverse("comment-create", args=[article.slug])
        with pytest.raises(DatabaseError, match="could not extend file"):
            reader.post(address, {"text": "Well said."})
        assert not connection.in_atomic_block
        assert not Comment.objects.exists()
        assert reader.get(reverse("article-list")).status_code == 200

    @postgres_only
    @pytest.mark.usefixtures("_refused")
    def test_outside_a_request(self) -> None:
        """So does a save on its own, and a call outside a transaction."""
        with pytest.raises(DatabaseError, match="could not extend file"):
            Product.objects.create(name="lamp", price=1)
        with pytest.raises(DatabaseError, match="could not extend file"):
            effects.make_group.delay_on_commit("a")
        assert not Product.objects.exists()

    @postgres_only
    def test_drain(self) -> None:
        """A drain whose effects don't fit on the disk leaves its calls for later, as they are."""
        call_each()
        self.refuse("53100")
        run(connection, "ALTER TABLE aftercommit_outboxcall DISABLE TRIGGER refuse")
        run(
            connection,
            "CREATE TRIGGER refuse BEFORE INSERT ON auth_group "
            "FOR EACH ROW EXECUTE FUNCTION refuse()",
        )
        try:
            drain_once()
        finally:
            run(connection, "DROP FUNCTION refuse CASCADE")
        check_untouched(3)

    def fill(self, patch: pytest.MonkeyPatch, pages_left: int) -> None:
        """Let the file grow by so many pages and no more, for any connection that is made."""
        run(connection, "VACUUM")
        pages = run(connection, "PRAGMA page_count") + pages_left
        options = connection.settings_dict["OPTIONS"]
        limited = f"{options['init_command']}; PRAGMA max_page_count = {pages}"
        patch.setitem(options, "init_command", limited)
        connection.close()

    @sqlite_only
    def test_file(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A transaction whose calls don't fit into the file fails as one."""
        self.fill(monkeypatch, 10)
        with (
            pytest.raises(OperationalError, match="database or disk is full"),
            transaction.atomic(),
        ):
            Group.objects.create(name="fits")
            effects.make_group.delay_on_commit("a" * 1_000_000)
        assert effects.names() == []
        assert not OutboxCall.objects.exists()

    @sqlite_only
    def test_file_in_a_drain(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A drain whose effects don't fit into it leaves its calls for later, as they are."""
        effects.act("a", lambda name: tasks.write(["x" * 1_000_000]))
        call_each()
        self.fill(monkeypatch, 20)
        drain_once()
        rows = OutboxCall.objects.filter(payload__contains='"a"').values_list("status", "attempts")
        assert list(rows) == [(PENDING, 0)]
        assert not journals()
