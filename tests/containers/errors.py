"""How a run of the containers can end without success."""


class CannotRun(Exception):
    """Containers can't be run on this machine. The text says what is missing."""


class Broken(Exception):
    """The containers ran, and something does not hold. The text says what."""
