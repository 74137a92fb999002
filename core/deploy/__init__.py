"""``make deploy``: a new version of the containers takes over from the one that runs.

It needs Docker and this Python alone. Nothing that is imported here needs Django.
"""
