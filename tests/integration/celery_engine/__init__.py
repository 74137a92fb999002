"""pytest-celery's kinds of test, which show that the chosen engine can carry them."""
