"""The switches of the mails that a user gets."""

from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.db import transaction

from .models import Kind, Mute

LABELS = {
    Kind.ARTICLE_PUBLISHED: "New articles by authors and in categories that I follow",
    Kind.COMMENT_POSTED: "Comments on my articles",
}


class MailsForm(forms.Form):
    """A box for each kind of mail. Without its tick the user gets none of the kind."""

    wanted = forms.MultipleChoiceField(
        label="Send me mails about",
        choices=[(kind.value, LABELS[kind]) for kind in Kind],
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )

    def __init__(self, data: Any = None, *, user: User) -> None:
        muted = set(user.mutes.values_list("kind", flat=True))
        wanted = [kind.value for kind in Kind if kind not in muted]
        super().__init__(data, initial={"wanted": wanted})
        self._user = user

    def save(self) -> None:
        """Keep which kinds are off."""
        off = {kind.value for kind in Kind} - set(self.cleaned_data["wanted"])
        with transaction.atomic():
            self._user.mutes.filter(kind__in=self.cleaned_data["wanted"]).delete()
            for kind in sorted(off):
                Mute.objects.get_or_create(user=self._user, kind=kind)
