"""What a name may be, and when two names look alike."""

import re
from unicodedata import normalize

from django.core.exceptions import ValidationError

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
SKELETON_LENGTH = 150
"""The length of ``User.username``. No skeleton is longer than the name of plain letters is."""

ALIKE = (("0", "o"), ("1", "l"), ("i", "l"), ("rn", "m"), ("vv", "w"))
"""What a reader takes for one another. A capital I and a small l are the same stroke."""

RESERVED = (
    "abuse account accounts admin administrator all anonymous deleted deleted-user everybody "
    "everyone help hostmaster info login logout mailer-daemon me moderator new news no-reply "
    "nobody noreply null official owner postmaster root security settings signup site staff "
    "superuser support sysadmin system team undefined unknown user users webmaster www"
)
"""Names that a reader would take for the site's own."""


def skeleton(name: str) -> str:
    """Return what a reader sees of the name: without case, and with one letter for those alike."""
    seen = normalize("NFKC", name).casefold()
    for shape, same in ALIKE:
        seen = seen.replace(shape, same)
    return re.sub("[_-]+", "_", seen)[:SKELETON_LENGTH]


RESERVED_SKELETONS = frozenset(map(skeleton, RESERVED.split()))


def validate_name(name: str) -> None:
    """Refuse what is no name, or looks like one of the site's own. Raises ValidationError."""
    if not NAME.fullmatch(name):
        raise ValidationError(
            "A name begins with one of the letters a to z. It may have letters, digits, _ and -.",
            code="invalid",
        )
    if skeleton(name) in RESERVED_SKELETONS:
        raise ValidationError(
            "“%(name)s” looks like a name of the site itself. Choose another one.",
            code="reserved",
            params={"name": name},
        )
