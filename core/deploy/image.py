"""The image of the new version: built here, or one that has a name of its own."""

from contextlib import ExitStack

from core.deploy.engine import Engine
from core.deploy.errors import DeployError
from core.deploy.log import Log

BUILT = "aftercommit"
"""The name of the image that is built here. Any other is somebody's (``APP_IMAGE``)."""


def have_image(engine: Engine, log: Log, undo: ExitStack, running: str) -> None:
    """Build the image, or fetch the one that ``APP_IMAGE`` names. Raises DeployError.

    If the image that runs had the name, and the deploy fails, it has the name again, so that
    whatever starts a container starts the version that runs.
    """
    name = engine.app["image"]
    if running and engine.image() == running:
        undo.callback(engine.docker, "tag", running, name)
    if name == BUILT and "build" in engine.app:
        engine.compose("build", "--quiet", "web")
    elif engine.app.get("pull_policy") != "never":
        engine.compose("pull", "--quiet", "web")
    if not engine.image():
        raise DeployError(f"There is no image {name} here. Build it, or set APP_IMAGE to one.")
    note = ", which is the one that runs" if engine.image() == running else ""
    log(f"image: {name} is {short(engine.image())}{note}")


def keep_previous(engine: Engine, ran: str) -> None:
    """Tag the image that ran before as ``previous``.

    The tag stays as it is if the same image runs again, and if it names the image that runs now.
    """
    name = engine.app["image"]
    if ran != engine.image() and name != previous(name):
        engine.docker("tag", ran, previous(name))


def previous(name: str) -> str:
    """Return the name of the image that ran before: ``aftercommit:previous``."""
    repository, _, tag = name.partition("@")[0].rpartition(":")
    has_tag = repository and "/" not in tag
    return f"{repository if has_tag else name.partition('@')[0]}:previous"


def short(image: str) -> str:
    """Return the id of an image as Docker shows it."""
    return image.removeprefix("sha256:")[:12]
