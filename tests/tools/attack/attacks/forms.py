"""Send what a form does not have."""

from django.contrib.auth.models import User
from django.utils import timezone

from content.models import Article, Author, Comment, Profile
from tests.tools.attack.registry import attack
from tests.tools.attack.target import Target
from tests.tools.attack.tries import Tries

PASSWORD = "correct-horse-battery-9"


@attack
def another_author(target: Target, tries: Tries) -> None:
    """Write an article as somebody else, with views, a date and an address of one's choice."""
    other = Author.objects.get(user__username="other")
    extra = {"author": other.pk, "author_id": other.pk, "slug": "chosen", "view_count": 1000}
    extra |= {
        "pk": target.world.draft.pk,
        "id": target.world.draft.pk,
        "created_at": "2001-01-01",
    }
    values = {"title": "Forged", "content": "x", "status": "published", **extra}
    status = target.role("author").post("/articles/new/", values).status_code
    tries.hold(status == 302, f"The form itself was refused: {status}")
    article = Article.objects.get(title="Forged")
    tries.hold(article.author.user.username == "author", f"It is {article.author}'s.")
    tries.hold(article.slug != "chosen", "The address was chosen.")
    tries.hold(article.view_count == 0, f"It begins with {article.view_count} views.")
    tries.hold(article.created_at.year == timezone.now().year, "It has an old date.")
    tries.hold(article.pk != target.world.draft.pk, "It took another article's place.")


@attack
def removed(target: Target, tries: Tries) -> None:
    """Give an article a status that no form offers."""
    for status in ("removed", "REMOVED", "x", "published\n", "0", "null"):
        values = {"title": f"Status {status}", "content": "x", "status": status}
        answer = target.role("author").post("/articles/new/", values).status_code
        tries.hold(answer == 200, f"The status {status!r}: {answer}")


@attack
def superuser(target: Target, tries: Tries) -> None:
    """Sign up, or change a profile, as staff."""
    extra = {"is_staff": "on", "is_superuser": "on", "is_active": "on", "groups": "1"}
    extra |= {"user": "1", "user_id": "1", "user_permissions": "1"}
    form = {"username": "climber", "email": "climber@example.com", "password1": PASSWORD}
    target.visitor(address="127.0.0.4").post("/signup/", {**form, "password2": PASSWORD, **extra})
    made = User.objects.filter(username="climber").first()
    tries.hold(made is not None, "The sign-up itself was refused.")
    tries.hold(not (made and (made.is_staff or made.is_superuser)), "They signed up as staff.")
    target.role("reader").post("/profile/", {"bio": "x", **extra})
    reader = User.objects.get(username="reader")
    tries.hold(not reader.is_staff and not reader.is_superuser, "A profile made them staff.")
    tries.hold(Profile.objects.get(user=reader).user == reader, "The profile is another user's.")


@attack
def another_commenter(target: Target, tries: Tries) -> None:
    """Comment as somebody else, on another article, at another time."""
    path = target.world.path("comment-create")
    extra = {"user": 1, "user_id": 1, "article": target.world.draft.pk, "created_at": "2001-01-01"}
    target.role("reader").post(path, {"text": "Forged comment", **extra})
    comment = Comment.objects.filter(text="Forged comment").first()
    tries.hold(comment is not None, "The form itself was refused.")
    if comment:
        tries.hold(comment.user.username == "reader", f"It is {comment.user}'s.")
        tries.hold(comment.article == target.world.published, "It is on another article.")
        tries.hold(comment.created_at.year == timezone.now().year, "It has an old date.")


@attack
def long_texts(target: Target, tries: Tries) -> None:
    """Send texts and numbers that are too long for every field."""
    long = "x" * 1_000_000
    author, superuser = target.role("author"), target.role("superuser")
    forms = {
        "/articles/new/": {"title": long, "content": long},
        target.world.path("comment-create"): {"text": long},
        "/profile/": {"bio": long, "location": long, "birth_date": long},
    }
    for path, values in forms.items():
        status = author.post(path, values).status_code
        tries.hold(status in (200, 400, 413), f"{path} with 1 MB: {status}")
    for price in ("9" * 400, "1e400", "NaN", "Infinity", "-0.01", "0x10", "1 000"):
        values = {"name": "x", "price": price, "stock": price}
        status = superuser.post("/products/new/", values).status_code
        tries.hold(status in (200, 400), f"The price {price[:20]}: {status}")
