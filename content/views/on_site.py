"""The admin's link "View on site"."""

from django.contrib.contenttypes.models import ContentType
from django.contrib.contenttypes.views import shortcut
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404

from ..permissions import may_see_all


def view_on_site(request: HttpRequest, content_type_id: int, object_id: str) -> HttpResponse:
    """Redirect to the page of a row. Raises PermissionDenied if the user can't see all rows.

    Django's view asks for no permission. It would tell any member of staff the slug of a draft.
    """
    model = get_object_or_404(ContentType, pk=content_type_id).model_class()
    if model is None or not may_see_all(request.user, model):
        raise PermissionDenied
    return shortcut(request, content_type_id, object_id)
