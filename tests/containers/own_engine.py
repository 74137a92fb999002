"""An engine of our own, from Debian's packages: nothing is installed, and nothing stays running.

It has a folder beside the virtual environment, which keeps its images from one run to the next.
Its packets go nowhere: what it publishes, it publishes at the loopback address, by a proxy.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, Self

from core.stack.servers import ServerError
from core.stack.tether import tethered
from core.stack.waiting import wait_until
from tests.containers.docker import client_environment
from tests.containers.errors import CannotRun
from tests.containers.machine import check_iptables, check_machine
from tests.containers.mounts import unmount_below
from tests.tools.servers import debian

PACKAGE = "docker.io"
OTHERS = ("debootstrap", "iptables")
IMAGES = Path(sys.prefix) / "containers"
"""The folder of the engine's images."""

NETWORKS = "base=10.218.0.0/16,size=24"
"""The addresses of its networks. They exist inside the containers' network namespaces only."""

OPTIONS = (
    *("--bridge=none", "--iptables=false", "--ip6tables=false"),
    *("--ip-forward=false", "--ip-masq=false", f"--default-address-pool={NETWORKS}"),
)


def lock(folder: Path) -> IO[str]:
    """Return a file that locks the folder while it is open. Raises CannotRun if another has it."""
    folder.mkdir(exist_ok=True)
    held = folder.with_suffix(".lock").open("w")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        held.close()
        raise CannotRun(f"another run uses the images in {folder}") from None
    return held


class OwnEngine:
    """``dockerd`` in the foreground, tied to this process."""

    def __init__(self) -> None:
        check_machine()
        try:
            debian.fetch(PACKAGE, *OTHERS)
        except ServerError as error:
            raise CannotRun(f"there is no engine, and none can be had. {error}") from error
        self.lock = lock(IMAGES)
        self.root = debian.unpacked(PACKAGE)
        self.folder = Path(tempfile.mkdtemp(prefix="engine-"))  # a socket's path must be short
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables for the engine and for its clients."""
        folders = [self.folder / "bin", self.root / "usr/sbin", self.root / "usr/bin"]
        mine = client_environment(
            HOME=str(self.folder),
            DOCKER_HOST=f"unix://{self.folder}/socket",
            DEBOOTSTRAP_DIR=str(self.root / "usr/share/debootstrap"),
            LD_LIBRARY_PATH=debian.libraries(PACKAGE),
        )
        found = [str(each) for each in self.root.glob("usr/lib/*/xtables")]
        path = os.pathsep.join([*map(str, folders), mine["PATH"]])
        return {**mine, "PATH": path, "XTABLES_LIBDIR": ":".join(found)}

    def command(self) -> list[str]:
        """Return the command line."""
        where = {
            "--host": f"unix://{self.folder}/socket",
            "--data-root": IMAGES,
            "--exec-root": self.folder / "run",
            "--pidfile": self.folder / "pid",
            "--userland-proxy-path": self.root / "usr/sbin/docker-proxy",
        }
        return ["dockerd", *OPTIONS, *(f"{name}={value}" for name, value in where.items())]

    def __enter__(self) -> Self:
        (self.folder / "bin").mkdir()
        program = "xtables-nft-multi"
        (self.folder / "bin/iptables").symlink_to(self.root / "usr/sbin" / program)
        check_iptables(self.environment)
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                tethered(self.command()),
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us, and we stop it at last
            )
        try:
            wait_until(self._answers, 60, "the engine", every=0.2)
        except TimeoutError as error:
            last = (self.folder / "log").read_text(errors="replace")[-300:].strip()
            self.__exit__()
            raise CannotRun(f"the engine does not start: {last}") from error
        return self

    def _answers(self) -> bool:
        asked = ["docker", "version", "--format", "{{.Server.Version}}"]
        done = subprocess.run(asked, env=self.environment, capture_output=True, check=False)
        return done.returncode == 0

    def __exit__(self, *error: object) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(60)
        unmount_below(self.folder, IMAGES)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.lock.close()
