"""Every address of the site."""

from django.contrib import admin
from django.urls import include, path

from aftercommit.views import live, ready

urlpatterns = [
    path("healthz", live, name="live"),
    path("readyz", ready, name="ready"),
    path("", include("notifications.urls")),
    path("", include("content.urls")),  # before the admin, for one of its addresses
    path("admin/", admin.site.urls),
]
