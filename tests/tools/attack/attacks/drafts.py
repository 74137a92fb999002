"""Read what is not published."""

from django.urls import reverse

from content.models import Article
from tests.tools.attack.registry import attack
from tests.tools.attack.target import Target
from tests.tools.attack.tries import Tries
from tests.unit.core.visits import QUERIES

MARK, TEXT = "Merger Xyzzy", "the secret of the draft"
STRANGERS = ("anonymous", "reader", "other", "staff")


def hide(target: Target) -> Article:
    """Give the draft a title and a text that are seen nowhere else."""
    draft = target.world.draft
    draft.title, draft.content, draft.status = MARK, TEXT, Article.Status.DRAFT
    draft.save()
    target.settle()
    return draft


@attack
def by_every_page(target: Target, tries: Tries) -> None:
    """Look for a draft's title and text on every page, as who may not see it."""
    hide(target)
    pages = [path + QUERIES.get(name, "") for name, path in target.paths.items()]
    pages += [
        target.world.path(f"article-{page} of a draft") for page in ("detail", "edit", "delete")
    ]
    pages += ["/?page=last", "/?q=Merger", "/?status=draft", "/authors/author/?status=draft"]
    for role in STRANGERS:
        for page in pages:
            text = target.role(role).get(page).text
            tries.hold(MARK not in text and TEXT not in text, f"{page} shows {role} the draft.")


@attack
def by_changing_it(target: Target, tries: Tries) -> None:
    """Publish, change, delete or comment on another author's draft."""
    draft = hide(target)
    values = {"title": "Taken", "content": "Taken", "status": "published", "text": "Taken"}
    for role in STRANGERS:
        for page in ("edit", "publish", "delete"):
            path = reverse(f"article-{page}", args=[draft.slug])
            status = target.role(role).post(path, values).status_code
            tries.hold(status in (302, 403, 404), f"POST {path} by {role}: {status}")
        target.role(role).post(reverse("comment-create", args=[draft.slug]), values)
    found = Article.objects.get(pk=draft.pk)
    tries.hold((found.title, found.status) == (MARK, "draft"), f"It is {found.status}: {found}")
    tries.hold(not found.comments.exists(), "A stranger commented on a draft.")
