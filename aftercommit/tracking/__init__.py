"""The state that a model instance was loaded in, the changes of a save, and counters.

``stored_row`` → ``loaded`` → ``saving`` → ``auditable`` build upon one another.
"""
