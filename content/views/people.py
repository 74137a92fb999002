"""Signing up, and what users tell about themselves."""

from typing import Any

from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.mixins import LoginRequiredMixin
from django.contrib.auth.views import LoginView
from django.contrib.messages.views import SuccessMessageMixin
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse_lazy
from django.views.generic import CreateView, UpdateView

from ..forms import ProfileForm, SignupForm
from ..models import Profile
from .form_page import FormPage

AVATARS: Any = Profile._meta.get_field("avatar")


class Signup(FormPage, CreateView):
    """A form for a new user, who is logged in at once."""

    form_class = SignupForm
    template_name = "registration/signup.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Show the form. Redirect a user who is logged in."""
        if request.user.is_authenticated:
            return redirect("article-list")
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form: ModelForm) -> HttpResponse:
        """Create the user and log them in."""
        # Hashing the password takes a quarter of a second. It is done before the transaction
        # begins, because SQLite has one writer at a time.
        user = form.save(commit=False)
        try:
            with transaction.atomic():
                user.save()
        except IntegrityError:  # somebody took the name since the form looked for it
            form.add_error("username", "A user with that username already exists.")
            return self.form_invalid(form)
        login(self.request, user)
        messages.success(self.request, f"Welcome, {user.get_username()}.")
        return redirect("article-list")


class Login(FormPage, LoginView):
    """A form for a user's name and password."""

    redirect_authenticated_user = True


class ProfileEdit(FormPage, LoginRequiredMixin, SuccessMessageMixin, UpdateView):
    """The form of the user's own profile."""

    form_class = ProfileForm
    template_name = "content/profile_form.html"
    success_url = reverse_lazy("profile-edit")
    success_message = "Your profile is saved."

    def get_object(self, queryset: QuerySet[Profile] | None = None) -> Profile:
        """Return the user's profile. Creates the profile of a user that a fixture made."""
        user: Any = self.request.user  # not anonymous: the mixin saw to it
        profile, _ = Profile.objects.get_or_create(user=user)
        return profile


def avatar(request: HttpRequest, name: str) -> FileResponse:
    """Return the uploaded picture of this name."""
    try:
        return FileResponse(AVATARS.storage.open(f"{AVATARS.upload_to}{name}"))
    except FileNotFoundError as error:
        raise Http404("There is no such picture.") from error
