"""The HTTP methods of a page with a form."""

from django.views.generic import View


class FormPage(View):
    """A page that shows a form, and takes it by POST.

    Django's views of forms also take PUT, as a form without a value, and delete at a DELETE
    without asking.
    """

    http_method_names = ["get", "head", "post", "options"]
