"""Slugs that no other article has."""

import itertools
import re
from collections.abc import Container

from django.db.models import Q
from django.utils.crypto import get_random_string
from django.utils.text import slugify

from .models import SLUG_LENGTH, Article
from .validators import RESERVED_SLUGS

FALLBACK = "article"
ROOM_FOR_END = 12
RANDOM_LENGTH = ROOM_FOR_END - 1  # and the hyphen
RANDOM_CHARACTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that looks like another


def stem(title: str) -> str:
    """Return the title as a slug, short enough for an end, and never empty."""
    return slugify(title)[: SLUG_LENGTH - ROOM_FOR_END].strip("-_") or FALLBACK


def unguessable_slug(title: str) -> str:
    """Return a slug with a random end, which tells nothing of other articles. Costs no query.

    Somebody who gets ``merger-with-acme-1``, and sees no ``merger-with-acme``, knows of a draft.
    """
    return f"{stem(title)}-{get_random_string(RANDOM_LENGTH, RANDOM_CHARACTERS)}"


def first_free(stem: str, taken: Container[str]) -> str:
    """Return the first of ``stem``, ``stem-1``, ``stem-2``, … that is not taken."""
    numbered = (f"{stem}-{number}" for number in itertools.count(1))
    return next(slug for slug in itertools.chain([stem], numbered) if slug not in taken)


def free_slug(article: Article, using: str) -> str:
    """Return a slug from the article's title that no other article has now. Costs one query."""
    wanted = stem(article.title)
    # LIKE uses the index. The regular expression leaves out the slugs of longer titles.
    numbered = Q(slug__startswith=f"{wanted}-", slug__regex=rf"^{re.escape(wanted)}-[0-9]+$")
    others = Article.objects.using(using).exclude(pk=article.pk)
    taken = others.filter(Q(slug=wanted) | numbered).values_list("slug", flat=True)
    return first_free(wanted, RESERVED_SLUGS.union(taken))
