"""Tests of what is due for what users do."""

from tests.tools.demo.ledger import Action, Article, Ledger, Request
from tests.tools.demo.named_effects import Kind, audit, counter, mail

REQUEST = Request("demo-1", "POST", 1.0, 1.2)


def ledger() -> tuple[Ledger, Action]:
    """A ledger, and the action that it takes down."""
    made = Ledger(clock=lambda: 0.0)
    return made, made.begin("Something")


def article(published: bool = False) -> Article:
    """An article of ada's about the garden."""
    return Article("Title", "title", "ada", "garden", published)


def dues(action: Action, kind: Kind) -> list[tuple[str, ...]]:
    """The keys of the action's effects of this kind."""
    return [due.effect.key for due in action.dues if due.effect.kind is kind]


def test_followers_of_author_or_category_each_get_one_mail() -> None:
    book, action = ledger()
    book.followed("both", author="ada")
    book.followed("both", category="garden")
    book.followed("one", category="garden")
    book.followed("none", category="kitchen")
    book.published(REQUEST, article())
    subject = "ada published “Title”"
    assert dues(action, Kind.MAIL) == [
        ("both@example.com", subject),
        ("one@example.com", subject),
    ]


def test_followers_are_told_once() -> None:
    book, _ = ledger()
    book.followed("one", author="ada")
    ours = article()
    book.published(REQUEST, ours)
    book.archived(REQUEST, ours)
    again = book.begin("Again")
    book.published(REQUEST, ours)
    assert not dues(again, Kind.MAIL)


def test_author_gets_no_mail_for_following_their_own_category() -> None:
    book, action = ledger()
    book.followed("ada", category="garden")
    book.published(REQUEST, article())
    assert not dues(action, Kind.MAIL)


def test_who_unfollows_gets_no_mail() -> None:
    book, action = ledger()
    book.followed("eve", author="ada")
    book.unfollowed("eve", author="ada")
    book.published(REQUEST, article())
    assert not dues(action, Kind.MAIL)


def test_comment_is_told_to_the_author() -> None:
    book, action = ledger()
    book.commented(REQUEST, article(), "5", by="eve")
    assert [due.effect for due in action.dues] == [
        audit("demo-1", "content.comment", "CREATE", "5", "eve"),
        mail("ada@example.com", "eve commented on “Title”"),
    ]


def test_own_comment_is_told_to_nobody() -> None:
    book, action = ledger()
    book.commented(REQUEST, article(), "5", by="ada")
    assert not dues(action, Kind.MAIL)


def test_view_counts_only_while_the_article_is_published() -> None:
    book, action = ledger()
    book.viewed(REQUEST, article())
    assert not action.dues
    book.viewed(REQUEST, article(published=True))
    assert [due.effect for due in action.dues] == [counter("views:title", +1)]


def test_other_category_counts_the_article_from_then_on() -> None:
    book, action = ledger()
    changed = article()
    book.rewrote(REQUEST, changed, "New", "kitchen")
    book.deleted(REQUEST, changed)
    assert dues(action, Kind.COUNTER) == [
        ("category:garden", "-1"),
        ("category:kitchen", "+1"),
        ("author:ada", "-1"),
        ("category:kitchen", "-1"),
    ]


def test_deletion_takes_the_comments_with_it() -> None:
    book, action = ledger()
    gone = article()
    book.commented(REQUEST, gone, "5", by="ada")
    book.deleted(REQUEST, gone)
    expected = ("demo-1", "content.comment", "DELETE", "5", "ada", "all fields")
    assert expected in dues(action, Kind.AUDIT)


def test_sign_up_is_by_nobody() -> None:
    book, action = ledger()
    book.signed_up(REQUEST, "ada")
    assert {key[4] for key in dues(action, Kind.AUDIT)} == {"nobody"}
    assert dues(action, Kind.MAIL) == [("ada@example.com", "Verify your address")]
    assert len(action.dues) == 4


def test_action_is_timed_by_its_forms_and_without_one_by_its_pages() -> None:
    page, form = Request("1", "GET", 0, 1), Request("2", "POST", 1, 3)
    assert Action("", 0, [page]).timed == [page]
    assert Action("", 0, [page, form]).timed == [form]


def test_action_ends_when_the_next_begins() -> None:
    times = iter([1.0, 2.0])
    book = Ledger(clock=lambda: next(times))
    first, second = book.begin("a"), book.begin("b")
    assert (book.end_of(first), book.end_of(second)) == (2.0, float("inf"))
