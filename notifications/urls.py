"""The addresses that follow and unfollow."""

from django.urls import path

from . import views

urlpatterns = [
    path("authors/<str:username>/follow/", views.follow_author, name="follow-author"),
    path("categories/<slug:slug>/follow/", views.follow_category, name="follow-category"),
]
