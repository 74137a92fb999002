"""The addresses of accounts. Only those of django-allauth that this site uses are here."""

from allauth.account import views as allauth
from allauth.usersessions.views import list_usersessions
from django.urls import path, re_path
from django.views.generic import RedirectView

from . import views

urlpatterns = [
    path("signup/", views.Signup.as_view(), name="account_signup"),
    path("login/", allauth.login, name="account_login"),
    path("logout/", allauth.logout, name="account_logout"),
    path("account/address/", allauth.email, name="account_email"),
    path(
        "account/address/verify/",
        allauth.email_verification_sent,
        name="account_email_verification_sent",
    ),
    re_path(
        r"^account/address/verify/(?P<key>[-:\w]+)/$",
        views.ConfirmAddress.as_view(),
        name="account_confirm_email",
    ),
    path("account/password/", allauth.password_change, name="account_change_password"),
    path("account/password/set/", allauth.password_set, name="account_set_password"),
    path("account/password/reset/", allauth.password_reset, name="account_reset_password"),
    path(
        "account/password/reset/sent/",
        allauth.password_reset_done,
        name="account_reset_password_done",
    ),
    re_path(
        r"^account/password/reset/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        views.ResetPassword.as_view(),
        name="account_reset_password_from_key",
    ),
    path(
        "account/password/reset/done/",
        allauth.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
    path("account/sessions/", list_usersessions, name="usersessions_list"),
    path("account/again/", allauth.reauthenticate, name="account_reauthenticate"),
    path("account/inactive/", allauth.account_inactive, name="account_inactive"),
    # In the place of the admin's own page, which neither has limits nor tells the user.
    path(
        "admin/password_change/",
        RedirectView.as_view(pattern_name="account_change_password"),
        name="admin-password-change",
    ),
]
