"""Every address by every role and method: who may do what. A new address has to be added here."""

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.core import serializers

from content.models import Article, Comment, Product, Profile
from notifications.models import Follow, Mute
from tests.unit.core.visits import ROLES, World, addresses, browser_of, make_world, visit

pytestmark = pytest.mark.django_db

MATRIX = """
address                          anon   reader author other  staff  editor super
live                        GET  ok     ok     ok     ok     ok     ok     ok
ready                       GET  ok     ok     ok     ok     ok     ok     ok
serving                     GET  ok     ok     ok     ok     ok     ok     ok
view-on-site                GET  login  login  login  login  403    ok     ok
view-on-site                POST login  login  login  login  403    ok     ok
following                   GET  login  ok     ok     ok     ok     ok     ok
following                   POST login  ok     ok     ok     ok     ok     ok
unsubscribe                 GET  ok     ok     ok     ok     ok     ok     ok
unsubscribe                 POST ok     ok     ok     ok     ok     ok     ok
follow-author               POST login  ok     ok     ok     ok     ok     ok
follow-category             POST login  ok     ok     ok     ok     ok     ok
article-list                GET  ok     ok     ok     ok     ok     ok     ok
article-create              GET  login  ok     ok     ok     ok     ok     ok
article-create              POST login  ok     ok     ok     ok     ok     ok
article-detail              GET  ok     ok     ok     ok     ok     ok     ok
article-detail of a draft   GET  404    404    ok     404    404    ok     ok
article-edit                GET  login  403    ok     403    403    ok     ok
article-edit                POST login  403    ok     403    403    ok     ok
article-edit of a draft     GET  login  404    ok     404    404    ok     ok
article-edit of a draft     POST login  404    ok     404    404    ok     ok
article-publish             GET  login  405    405    405    405    405    405
article-publish             POST login  403    ok     403    403    ok     ok
article-publish of a draft  GET  login  405    405    405    405    405    405
article-publish of a draft  POST login  404    ok     404    404    ok     ok
article-delete              GET  login  403    ok     403    403    ok     ok
article-delete              POST login  403    ok     403    403    ok     ok
article-delete of a draft   GET  login  404    ok     404    404    ok     ok
article-delete of a draft   POST login  404    ok     404    404    ok     ok
comment-create              GET  login  405    405    405    405    405    405
comment-create              POST login  ok     ok     ok     ok     ok     ok
comment-create of a draft   GET  login  405    405    405    405    405    405
comment-create of a draft   POST login  404    ok     404    404    ok     ok
category-detail             GET  ok     ok     ok     ok     ok     ok     ok
author-detail               GET  ok     ok     ok     ok     ok     ok     ok
product-list                GET  ok     ok     ok     ok     ok     ok     ok
product-create              GET  login  403    403    403    403    ok     ok
product-create              POST login  403    403    403    403    ok     ok
product-edit                GET  login  403    403    403    403    ok     ok
product-edit                POST login  403    403    403    403    ok     ok
product-delete              GET  login  403    403    403    403    ok     ok
product-delete              POST login  403    403    403    403    ok     ok
profile-edit                GET  login  ok     ok     ok     ok     ok     ok
profile-edit                POST login  ok     ok     ok     ok     ok     ok
avatar                      GET  404    404    404    404    404    404    404
avatar                      POST 404    404    404    404    404    404    404
account_signup              GET  ok     ok     ok     ok     ok     ok     ok
account_signup              POST ok     ok     ok     ok     ok     ok     ok
account_login               GET  ok     ok     ok     ok     ok     ok     ok
account_login               POST ok     ok     ok     ok     ok     ok     ok
account_logout              GET  ok     ok     ok     ok     ok     ok     ok
account_logout              POST ok     ok     ok     ok     ok     ok     ok
account_email               GET  login  ok     ok     ok     ok     ok     ok
account_email               POST login  ok     ok     ok     ok     ok     ok
account_email_verification_sent GET ok  ok     ok     ok     ok     ok     ok
account_confirm_email       GET  ok     ok     ok     ok     ok     ok     ok
account_confirm_email       POST ok     ok     ok     ok     ok     ok     ok
account_change_password     GET  login  ok     ok     ok     ok     ok     ok
account_change_password     POST login  ok     ok     ok     ok     ok     ok
account_set_password        GET  login  ok     ok     ok     ok     ok     ok
account_set_password        POST login  ok     ok     ok     ok     ok     ok
account_reset_password      GET  ok     ok     ok     ok     ok     ok     ok
account_reset_password      POST ok     ok     ok     ok     ok     ok     ok
account_reset_password_done GET  ok     ok     ok     ok     ok     ok     ok
account_reset_password_from_key GET ok  ok     ok     ok     ok     ok     ok
account_reset_password_from_key POST ok ok     ok     ok     ok     ok     ok
account_reset_password_from_key_done GET ok ok ok     ok     ok     ok     ok
usersessions_list           GET  login  ok     ok     ok     ok     ok     ok
usersessions_list           POST login  ok     ok     ok     ok     ok     ok
account_reauthenticate      GET  login   ok     ok     ok     ok     ok     ok
account_reauthenticate      POST login   ok     ok     ok     ok     ok     ok
account_inactive            GET  ok     ok     ok     ok     ok     ok     ok
admin-password-change       GET  ok     ok     ok     ok     ok     ok     ok
admin-password-change       POST ok     ok     ok     ok     ok     ok     ok
admin:index                 GET  login  login  login  login  ok     ok     ok
admin:index                 POST login  login  login  login  ok     ok     ok
admin:login                 GET  login  403    403    403    ok     ok     ok
admin:login                 POST login  403    403    403    ok     ok     ok
admin:logout                GET  ok     ok     ok     ok     405    405    405
admin:logout                POST ok     ok     ok     ok     ok     ok     ok
admin:password_change       GET  ok     ok     ok     ok     ok     ok     ok
admin:password_change       POST ok     ok     ok     ok     ok     ok     ok
admin:password_change_done  GET  login  login  login  login  ok     ok     ok
admin:password_change_done  POST login  login  login  login  405    405    405
admin:autocomplete          GET  login  login  login  login  403    ok     ok
admin:autocomplete          POST login  login  login  login  405    405    405
admin:jsi18n                GET  login  login  login  login  ok     ok     ok
admin:jsi18n                POST login  login  login  login  405    405    405
admin:view_on_site          GET  login  login  login  login  403    ok     ok
admin:view_on_site          POST login  login  login  login  403    ok     ok
admin:app_list              GET  login  login  login  login  404    ok     ok
admin:app_list              POST login  login  login  login  404    ok     ok
admin:(?P<url>.*)$          GET  login  login  login  login  404    404    404
admin:(?P<url>.*)$          POST login  login  login  login  404    404    404
"""
"""How a visit ends: "ok" shows a page or does it, "login" asks who it is, a number is the status.

An address that has no line for GET or for POST answers with 405 to everybody. ``other`` is another
author, ``staff`` a member of staff without a permission, and ``editor`` one with all of the domain.
"""

EVERYTHING = "add change delete history changelist"
TO_READ = "change history changelist"
ADMIN = {
    "account.emailaddress": EVERYTHING,
    "auth.group": EVERYTHING,
    "auth.user": f"{EVERYTHING} password_change",
    "django_celery_results.taskresult": EVERYTHING,
    "django_celery_results.groupresult": EVERYTHING,
    "aftercommit.outboxcall": f"{TO_READ} retry discard",
    "aftercommit.outboxbatch": TO_READ,
    "aftercommit.outboxworker": TO_READ,
    "content.author": f"add {TO_READ}",
    "content.category": EVERYTHING,
    "content.article": EVERYTHING,
    "content.comment": EVERYTHING,
    "content.profile": f"add {TO_READ}",
    "content.product": EVERYTHING,
    "notifications.follow": EVERYTHING,
    "notifications.mute": EVERYTHING,
    "notifications.announcement": TO_READ,
    "logins.failedlogin": TO_READ,
    "notifications.delivery": f"{TO_READ} send_again mark_sent cancel",
    "audit.auditlog": TO_READ,
    "usersessions.usersession": EVERYTHING,
}
"""What a superuser may do in the admin with the rows of each model. An editor may do it with those
of the domain, and nobody else anything."""

Matrix = dict[tuple[str, str], dict[str, str]]


def site_matrix() -> Matrix:
    """Return how visits end, by address and method, and then by role."""
    lines = [line.rsplit(maxsplit=1 + len(ROLES)) for line in MATRIX.strip().splitlines()[1:]]
    given = {(name, method): dict(zip(ROLES, ends, strict=True)) for name, method, *ends in lines}
    nobody = dict.fromkeys(ROLES, "405")
    names = {name for name, _ in given}
    return {(name, m): given.get((name, m), nobody) for name in names for m in ("GET", "POST")}


def admin_matrix() -> Matrix:
    """Return the same for the pages of the models in the admin."""
    matrix: Matrix = {}
    for label, allowed in ADMIN.items():
        for page in {*EVERYTHING.split(), *allowed.split()}:
            for method in ("GET", "POST"):
                readonly = "add" not in allowed and (page, method) == ("change", "POST")
                best = "ok" if page in allowed.split() and not readonly else "403"
                editor = best if label.startswith("content.") else "403"
                ends = ["login"] * 4 + ["403", editor, best]
                name = f"admin:{label.replace('.', '_')}_{page}"
                matrix[name, method] = dict(zip(ROLES, ends, strict=True))
    return matrix


def like_another(role: str) -> Any:
    """Return the role as a parameter. ``make test`` leaves out those that are much like others."""
    return pytest.param(role, marks=pytest.mark.slow) if role in ("other", "editor") else role


@pytest.fixture
def world() -> World:
    """Return the users of each role, and what they visit."""
    return make_world()


def test_every_address_is_here() -> None:
    """An address that was added has no line in the matrix, and one that is gone has too many."""
    here = {name.partition(" of a ")[0] for name, _ in site_matrix() | admin_matrix()}
    assert here == {*addresses()}


def test_every_model_of_the_admin_is_here() -> None:
    """So has a model."""
    assert {model._meta.label_lower for model in admin.site._registry} == {*ADMIN}


@pytest.mark.parametrize("role", [like_another(role) for role in ROLES])
def test_matrix(world: World, role: str) -> None:
    """Each visit of the role ends as the matrix says."""
    browser, matrix = browser_of(role), site_matrix() | admin_matrix()
    ends = {each: visit(world, browser, *each) for each in matrix}
    wrong = {each: end for each, end in ends.items() if end != matrix[each][role]}
    assert wrong == {}


def stored() -> str:
    """Return the rows that the pages change."""
    models = (Article, Comment, Product, Profile, Follow, Mute, User)
    return "\n".join(
        serializers.serialize("json", model.objects.order_by("pk")) for model in models
    )


@pytest.mark.parametrize("role", [pytest.param("author", marks=pytest.mark.slow), "superuser"])
def test_other_methods(world: World, role: str) -> None:
    """No method but POST changes anything, whoever may."""
    browser, before = browser_of(role), stored()
    for name in sorted({name for name, _ in site_matrix()}):
        for method in ("HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE"):
            visit(world, browser, name, method, keep=True)
    assert stored() == before
