"""The addresses of the shop."""

from django.urls import path

from benchmarks.shop import views

urlpatterns = [
    path("publish/<int:effects>", views.publish),
    path("page/<int:effects>", views.page),
    path("healthz", views.healthz),
]
