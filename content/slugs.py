"""Slugs that no other article has."""

import itertools
import re
from collections.abc import Container

from django.db.models import Q
from django.utils.text import slugify

from .models import SLUG_LENGTH, Article
from .validators import RESERVED_SLUGS

FALLBACK = "article"
ROOM_FOR_NUMBER = 12


def stem(title: str) -> str:
    """Return the title as a slug, short enough to be numbered, and never empty."""
    return slugify(title)[: SLUG_LENGTH - ROOM_FOR_NUMBER].strip("-_") or FALLBACK


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
