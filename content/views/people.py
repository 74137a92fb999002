"""What users tell about themselves."""

from typing import Any

from django.contrib.auth.mixins import LoginRequiredMixin
from django.contrib.messages.views import SuccessMessageMixin
from django.db.models import QuerySet
from django.http import FileResponse, Http404, HttpRequest
from django.urls import reverse_lazy
from django.views.generic import UpdateView

from ..forms import ProfileForm
from ..models import Profile
from .form_page import FormPage

AVATARS: Any = Profile._meta.get_field("avatar")


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
