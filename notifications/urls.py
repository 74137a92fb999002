"""The addresses that follow and unfollow, and that end mails."""

from django.urls import path

from . import unsubscribe, views

urlpatterns = [
    path("following/", views.Following.as_view(), name="following"),
    path("unsubscribe/<str:token>/", unsubscribe.Unsubscribe.as_view(), name="unsubscribe"),
    path("authors/<str:username>/follow/", views.follow_author, name="follow-author"),
    path("categories/<slug:slug>/follow/", views.follow_category, name="follow-category"),
]
