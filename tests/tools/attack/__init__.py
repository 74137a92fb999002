"""Bounded attacks on a copy of the site that runs on this machine alone."""
