"""The app that all contenders share."""

from django.apps import AppConfig


class ShopConfig(AppConfig):
    """What is saved, and what the effects write."""

    name = "benchmarks.shop"
    label = "shop"
