"""What a model instance was loaded as, what a save changes in it, and counters that follow."""
