"""The library's wheel, and an environment that has it and what it needs, and nothing else."""

import fcntl
import os
import subprocess
import sys
import venv
from collections.abc import Iterator
from compileall import compile_dir
from contextlib import contextmanager
from pathlib import Path
from zipfile import ZipFile

import celery
import django

ROOT = Path(__file__).resolve().parents[2]

SAME = [f"Django=={django.__version__}", f"celery=={celery.__version__}"]
"""The versions that the other tests run with."""

OURS = ("DATABASE_URL", "DJANGO_SETTINGS_MODULE", "PYTHONPATH", "REDIS_URL", "VAR_DIR")
"""The variables that make a process one of this project's."""


def clean_environment() -> dict[str, str]:
    """Return this process's environment without what belongs to this project and its tests."""
    return {
        name: value
        for name, value in os.environ.items()
        if name not in OURS and not name.startswith("PYTEST_")
    }


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """Run the command, and return what it wrote. Fails the test if the command fails."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, f"{command} failed:\n{done.stdout}"
    return done.stdout


def build_wheel(folder: Path) -> Path:
    """Build the wheel as ``pip install .`` does, and return its path."""
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", folder, ROOT)
    (wheel,) = folder.glob("*.whl")
    return wheel


@contextmanager
def locked(folder: Path, name: str) -> Iterator[Path]:
    """Return a path in the folder that one process of the run at a time sees."""
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder / name


def share_wheel(folder: Path) -> Path:
    """Return the wheel in the folder. Whichever process of the run is the first builds it."""
    with locked(folder, "wheel") as place:
        built = [*place.glob("*.whl")]
        return built[0] if built else build_wheel(place)


def share_unpacked(wheel: Path, folder: Path) -> Path:
    """Return a folder with what the wheel installs. Its bytecode is made once in a run too."""
    with locked(folder, "unpacked") as place:
        if not place.exists():
            with ZipFile(wheel) as archive:
                archive.extractall(place)
            compile_dir(place, quiet=1)
    return place


def share_packages(name: str, folder: Path) -> Path:
    """Return a folder with the packages of ``requirements/locked/<name>.txt``, and nothing else.

    Whichever process of the run is the first installs them.
    """
    target, done = folder / name, folder / f"{name}.done"
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            requirements = ROOT / "requirements" / "locked" / f"{name}.txt"
            pip: list[str | Path] = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
            run(*pip, "--target", target, "--require-hashes", "-r", requirements)
            done.touch()
    return target


def install(wheel: Path, extras: str, folder: Path) -> Path:
    """Install the wheel with these extras into a new environment, and return its Python."""
    venv.create(folder, symlinks=True)  # without pip: ours installs
    python = folder / "bin" / "python"
    pip: list[str | Path] = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet"]
    pip.append("--no-compile")  # Programs compile the modules that they import.
    run(*pip, f"{wheel}[{extras}]", *SAME)
    return python
