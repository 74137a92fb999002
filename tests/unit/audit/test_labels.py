"""What an object is called in the log."""

import re
from collections.abc import Callable
from unittest.mock import patch

import pytest
from django.db import connection
from django.db.models import Model
from django.test.utils import CaptureQueriesContext

from aftercommit.models import OutboxCall
from aftercommit.outbox.task import find_task
from aftercommit.worker.drain import drain_task
from audit.models import AuditLog
from audit.tasks import write_audit_logs
from content.models import Author, Comment, Product
from tests.factories import AuthorFactory, CommentFactory, ProductFactory

pytestmark = pytest.mark.django_db(transaction=True)

Last = Callable[[Model], AuditLog]


def test_long_name_is_cut(last: Last) -> None:
    """At most 200 characters are kept."""
    with patch.object(Product, "__str__", lambda product: "x" * 1000):
        assert last(ProductFactory.create()).object_repr == "x" * 200


def test_failing_str_fails_neither_request_nor_task(last: Last) -> None:
    """An object whose __str__ raises is called by its model and its id."""
    with patch.object(Product, "__str__", lambda product: product.nonsense):
        product = ProductFactory.create()
        assert last(product).object_repr == f"Product #{product.pk}"


def test_name_that_needs_a_query_is_found_by_the_task(last: Last) -> None:
    """An author is called by their user's name; the request doesn't load the user for it."""
    author = Author.objects.get(pk=AuthorFactory.create(user__username="mara").pk)
    author.bio = "Changed."
    author.save()
    stored = OutboxCall.objects.order_by("id").last()
    assert stored is not None
    assert '"object_repr": ""' in stored.payload
    assert last(author).object_repr == "mara"


@pytest.mark.parametrize("written", [True, False])
def test_deleted_object_keeps_the_name_the_log_knew(written: bool, last: Last) -> None:
    """A comment that goes with its article is called what it was called at its creation.

    Whether that was written long ago, or is written with it.
    """
    comment = CommentFactory.create(user__username="mara", article__title="On Logs")
    name = "Comment by mara on On Logs"
    if written:
        assert last(comment).object_repr == name
    pk = comment.pk
    Comment.objects.get(pk=pk).article.delete()
    comment.pk = pk
    log = last(comment)
    assert (log.action, log.object_repr) == ("DELETE", name)


def test_deleted_object_that_the_log_never_knew(last: Last) -> None:
    """Without an earlier entry there is still the model's name and the id."""
    comment = CommentFactory.create()
    pk = comment.pk
    OutboxCall.objects.all().delete()
    Comment.objects.get(pk=pk).delete()
    comment.pk = pk
    assert last(comment).object_repr == f"Comment #{pk}"


def test_reads_what_it_names(logged: Callable[[Model], list[AuditLog]]) -> None:
    """The task reads the rows that its entries are about, and no table as a whole."""
    gone, changed, *_ = (AuthorFactory.create() for _ in range(4))
    logged(gone)
    author = Author.objects.get(pk=changed.pk)
    author.bio = "Changed."
    author.set_current_user(changed.user)
    author.save()
    Author.objects.get(pk=gone.pk).delete()
    with CaptureQueriesContext(connection) as queries:
        assert drain_task(find_task(write_audit_logs.name), "default").settled == 2
    sql = re.sub(r'["`]', "", "\n".join(each["sql"] for each in queries))
    for condition in CONDITIONS:
        assert re.search(condition, sql), f"no {condition} in\n{sql}"


CONDITIONS = (
    r"FROM content_author WHERE content_author\.id IN \(",
    r"FROM audit_auditlog .*object_id IN \(",
    r"SELECT auth_user\.id\b.* FROM auth_user WHERE auth_user\.id IN \(",
    r"FROM django_content_type WHERE django_content_type\.model IN \(",
)
"""What the statements of the task ask for, quotes aside."""
