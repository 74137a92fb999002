"""How a deploy ends without success."""


class DeployError(Exception):
    """The new version was not brought in. The text says why, and is for a person."""
