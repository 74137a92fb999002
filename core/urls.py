"""Every address of the site."""

from django.contrib import admin
from django.urls import include, path

from aftercommit.views import live, ready
from core.front.probes import serving

urlpatterns = [
    path("healthz", live, name="live"),
    path("servez", serving, name="serving"),
    path("readyz", ready, name="ready"),
    path("", include("notifications.urls")),
    # These come before the admin, for some of its addresses.
    path("", include("core.accounts.urls")),
    path("", include("content.urls")),
    path("admin/", admin.site.urls),
]
