"""Have the site send mails that nobody asked for."""

import re
from email.message import EmailMessage

from django.contrib.auth.models import User
from django.urls import reverse

from content.models import Article, Author
from notifications.models import Follow
from tests.people import make_user
from tests.tools.attack.registry import attack
from tests.tools.attack.target import Target
from tests.tools.attack.tries import Tries
from tests.tools.attack.visitor import Visitor

PASSWORD = "a-long-word-for-attacks-7"
LINK = re.compile(r"<(http[^>]+)>")


def follow(reader: User, author: str) -> None:
    """Have the reader follow the author."""
    Follow.objects.get_or_create(user=reader, author=Author.objects.get(user__username=author))


def publish(target: Target, author: Visitor, title: str) -> Article:
    """Publish an article by the form, and wait for what follows."""
    values = {"title": title, "content": "x", "status": "published"}
    author.post("/articles/new/", values)
    target.settle()
    return Article.objects.get(title=title)


def about(mails: list[EmailMessage], text: str) -> list[EmailMessage]:
    """Return the mails whose subject has this text."""
    return [mail for mail in mails if text in str(mail["subject"])]


@attack
def to_a_stranger(target: Target, tries: Tries) -> None:
    """Sign up with a stranger's address, follow an author, and have the author write."""
    stranger = "stranger@mail.example"
    visitor, seller = target.visitor(address="127.0.0.6"), target.new_user("seller")
    form = {"username": "impostor", "email": stranger, "password1": PASSWORD}
    visitor.post("/signup/", {**form, "password2": PASSWORD})
    impostor = User.objects.filter(username="impostor").first()
    tries.hold(impostor is not None, "The sign-up itself was refused.")
    if impostor:
        follow(impostor, "seller")
    publish(target, seller, "Buy this at evil.example")
    got = about(target.mails(to=stranger), "Buy this")
    tries.hold(not got, f"The stranger got {[str(mail['subject']) for mail in got]}.")
    others = [mail for mail in target.mails(to=stranger) if "evil" in mail.as_string()]
    tries.hold(not others, "A mail to the stranger has the impostor's text.")


@attack
def again_and_again(target: Target, tries: Tries) -> None:
    """Take an article back and publish it again, eight times."""
    reader, author = make_user("follower"), target.new_user("toggler")
    follow(reader, "toggler")
    article = publish(target, author, "Toggled")
    form = {"title": "Toggled", "content": "x"}
    for _ in range(8):
        for status in ("draft", "published"):
            path = reverse("article-edit", args=[article.slug])
            author.post(path, {**form, "status": status})
        target.settle()
    got = about(target.mails(to=reader.email), "Toggled")
    tries.hold(len(got) == 1, f"{len(got)} mails told of one article.")


@attack
def by_comments(target: Target, tries: Tries) -> None:
    """Have an author get a mail for each of eight comments."""
    article = publish(target, target.new_user("discussed"), "Discussed")
    commenter = target.new_user("commenter")
    for number in range(8):
        path = reverse("comment-create", args=[article.slug])
        commenter.post(path, {"text": f"Comment {number}"})
    target.settle()
    got = target.mails(to=article.author.user.email)
    told = [mail for mail in got if "Comment 1" in mail.as_string()]
    tries.hold(article.comments.count() == 8, f"{article.comments.count()} comments were taken.")
    tries.hold(len(told) <= 1, f"{len(told)} mails told of them.")


@attack
def by_a_forged_link(target: Target, tries: Tries) -> None:
    """End another user's mails by a link that was changed, or that a mail program only opens."""
    reader, author = make_user("subscriber"), target.new_user("writer")
    follow(reader, "writer")
    publish(target, author, "Subscribed")
    (mail,) = about(target.mails(to=reader.email), "Subscribed") or [EmailMessage()]
    (link,) = LINK.findall(str(mail.get("List-Unsubscribe", ""))) or [""]
    tries.hold(mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click", "No one-click.")
    path = link.removeprefix(target.config.site_url)
    for forged in forgeries(path):
        status = target.visitor().bare_post(forged, {"List-Unsubscribe": "One-Click"}).status_code
        tries.hold(status in (400, 404, 301), f"POST {forged}: {status}")
    tries.hold(target.visitor().get(path).status_code == 200, "The link leads nowhere.")
    tries.hold(Follow.objects.filter(user=reader).exists(), "A forged link, or GET, ended it.")
    target.visitor().bare_post(path, {"List-Unsubscribe": "One-Click"})
    tries.hold(not Follow.objects.filter(user=reader).exists(), "The true link ends nothing.")


def forgeries(path: str) -> list[str]:
    """Return links like this one that nobody has signed."""
    start, token = path.rstrip("/").rsplit("/", 1)
    body, _, signature = token.partition("~")
    reader = User.objects.get(username="reader").pk
    other = re.sub(r"^\d+", str(reader), body)
    changed = [
        f"{other}~{signature}",
        f"{body}~{signature[:-1]}",
        f"{body}~",
        body,
        f"~{signature}",
    ]
    changed += [f"{body}~{signature[::-1]}", f"{token}x", f"{body}.~{signature}", "x", "%00"]
    return [f"{start}/{each}/" for each in changed]
