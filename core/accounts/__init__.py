"""The people's accounts: names, addresses, and how they log in. django-allauth does the work."""
