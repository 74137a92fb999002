"""What the image has, and what it has not."""

import shlex
from secrets import token_urlsafe

from tests.containers.base_images import BASE, label
from tests.containers.compose import IMAGE
from tests.containers.docker import Docker
from tests.containers.errors import Broken
from tests.containers.figures import size

LARGEST = 300
"""How many megabytes the image may have."""

LABELS = ("title", "description", "licenses")
USER = "10001:10001"
OWN = """
import importlib.util, os, stat
folder = os.stat(os.environ["VAR_DIR"])
print(os.getuid(), os.getgid(), sep=":")
print(folder.st_uid, folder.st_gid, sep=":")
print(stat.S_IMODE(folder.st_mode) == 0o700 and not os.listdir(os.environ["VAR_DIR"]))
print(importlib.util.find_spec("pip") is None)
"""


def check_image(docker: Docker) -> str:
    """Return how large the image is beside its base. Raises Broken if it is not as it should be."""
    megabytes = size(docker)
    if megabytes > LARGEST:
        raise Broken(f"The image has {megabytes} MB, and may have {LARGEST}.")
    missing = [each for each in LABELS if not docker.image(IMAGE, label(f"{OCI}.{each}"))]
    if missing:
        raise Broken(f"The image has no label for its {', '.join(missing)}.")
    check_user(docker)
    check_refusal(docker)
    check_data_folder(docker)
    return f"{megabytes} MB, {megabytes - size(docker, BASE)} of them beside the base image"


OCI = "org.opencontainers.image"


def check_user(docker: Docker) -> None:
    """Raise Broken unless the user, the data folder and the packages are as they should be."""
    found = docker("run", "--rm", "--network", "none", IMAGE, "python", "-c", OWN).split()
    if found != [USER, USER, "True", "True"]:
        raise Broken(f"User, owner of the data folder, an empty folder, no pip: {found}.")


def check_refusal(docker: Docker) -> None:
    """Raise Broken unless a missing SECRET_KEY is told in one line."""
    said = failing(docker, IMAGE).splitlines()
    if len(said) != 1 or "SECRET_KEY" not in said[0]:
        raise Broken(f"Without a SECRET_KEY the image wrote {len(said)} lines: {said[:1]}.")


def check_data_folder(docker: Docker) -> None:
    """Raise Broken unless a data folder of root's is named."""
    variables = (f"SECRET_KEY={token_urlsafe(48)}", "DATABASE_URL=sqlite://:memory:")
    given = [word for each in variables for word in ("--env", each)]
    folder = ("--tmpfs", "/var/lib/aftercommit:uid=0,mode=755")
    said = failing(docker, *folder, *given, IMAGE, "python", "manage.py", "migrate_when_ready")
    if "core.E002" not in said or "user 10001. It is that of user 0." not in said:
        raise Broken(f"With a data folder of root's the image wrote: {said[-500:]}")


def failing(docker: Docker, *words: str) -> str:
    """Return all that a container writes that ends with an error."""
    command = shlex.join(["docker", "run", "--rm", "--network", "none", *words])
    return docker.run(["sh", "-c", f"{command} 2>&1; true"])
