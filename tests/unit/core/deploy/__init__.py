"""``make deploy``, with a small engine in place of Docker."""
