"""The demo's data: users, articles, comments and products."""

from pathlib import Path
from typing import NamedTuple

from core.stack.demo_logins import kept_password


class Login(NamedTuple):
    """A user of the demo."""

    username: str
    bio: str
    can_log_in: bool = True
    is_superuser: bool = False

    @property
    def email(self) -> str:
        """Return an address that no mail server delivers to."""
        return f"{self.username}@example.com"

    def password(self, var_dir: Path) -> str:
        """Return the user's password, which is made up for the installation with this folder."""
        return kept_password(var_dir, self.username)


class DemoArticle(NamedTuple):
    """An article of the demo, with the comments on it as (username, text)."""

    title: str
    author: str
    category: str
    content: str
    status: str = "published"
    comments: tuple[tuple[str, str], ...] = ()


LOGINS = (
    Login("admin", "Looks after this site.", is_superuser=True),
    Login("author", "Writes about databases, and about what they forget."),
    Login("reader", "Reads everything, comments on half of it."),
    Login("mara", "Gardener on a north-facing balcony.", can_log_in=False),
    Login("jonas", "Bakes bread, repairs bicycles, rarely at the same time.", can_log_in=False),
)

CATEGORIES = {"engineering": "Engineering", "garden": "Garden", "kitchen": "Kitchen"}

ARTICLES = (
    DemoArticle(
        "A balcony that faces north",
        "mara",
        "garden",
        "Everybody told me that nothing would grow here. Three summers later the ferns hang over "
        "the railing and the mint has to be held back with scissors.\n\n"
        "What helped was to stop fighting the shade. Lettuce that bolts in the sun stays tender "
        "until August. Sorrel, chervil and lovage hardly notice the difference. The one tomato I "
        "tried gave me four fruits, all of them in October.\n\n"
        "Water less than you think: without sun the pots dry slowly, and roots drown quietly.",
        comments=(
            ("reader", "The lovage tip saved my window box. Thank you!"),
            ("jonas", "Four tomatoes are enough for one very good sandwich."),
        ),
    ),
    DemoArticle(
        "Bread for people who forget",
        "jonas",
        "kitchen",
        "Most recipes want you at home at the right time. This one doesn't mind.\n\n"
        "Mix 500 g flour, 375 g water, 10 g salt and a piece of yeast the size of a pea. Put a lid "
        "on it and leave it in the fridge for anything between one day and three. When you "
        "remember it, heat the oven with a heavy pot inside, tip the dough in, and bake it for "
        "half an hour with the lid on and a quarter of an hour without.\n\n"
        "The dough gets better while you forget it. Few things do.",
        comments=(("mara", "Three days and a half also works. Don't ask me how I know."),),
    ),
    DemoArticle(
        "What happens after the commit",
        "author",
        "engineering",
        "A request saves an article, and then it wants to send a mail. If it sends the mail first, "
        "the transaction may still roll back, and people read about an article that never was. If "
        "it sends the mail afterwards, the process may die in between, and nobody reads about an "
        "article that is there.\n\n"
        "The way out is old and simple: write down, in the same transaction, that the mail is to "
        "be sent. Either both are stored or neither is. Somebody else reads the note and does the "
        "work, as often as it takes.\n\n"
        "The hard part is the word “once”. A database can do something exactly once, because the "
        "effect and the crossing-out of the note are one commit. A mail server can't.",
        comments=(
            ("reader", "So the note is the actual product, and the queue is only a doorbell?"),
            ("author", "That is the best summary of it I have read."),
        ),
    ),
    DemoArticle(
        "Counting is harder than it looks",
        "author",
        "engineering",
        "Keep the number of articles beside the author, and you will never have to count them "
        "again. Then somebody moves an article to another category, somebody else deletes a user, "
        "and the number is wrong forever, because nobody counts any more.\n\n"
        "A counter is a promise about every way a row can come, go or change hands.",
    ),
    DemoArticle(
        "Notes on a slow migration",
        "author",
        "engineering",
        "To do: figures, and the part about the index that nobody used.",
        status="draft",
    ),
)

PRODUCTS = (
    ("Enamel watering can, 2 l", "24.90", 18),
    ("Cast-iron bread pot", "79.00", 6),
    ("Notebook, dotted, A5", "7.50", 140),
    ("Field guide to indexes", "32.00", 0),
)
