"""Flower apart from the site: it knows the broker, and none of the site's secrets."""
