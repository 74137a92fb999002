"""The plugin that pytest loads in each environment which has the library."""

import importlib
import os
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[4]

CODE = """
import sys
import aftercommit.contrib.pytest
print(sorted({name.split(".")[0] for name in sys.modules} & {"django", "celery", "kombu"}))
"""

TESTS = """
def test_of_another_project(request):
    assert request.config.pluginmanager.has_plugin("aftercommit.contrib.pytest")
    assert "outbox" not in request.fixturenames
"""


def run(folder: Path, *arguments: str) -> str:
    """The output of Python without settings for Django, run in the folder."""
    environment = {
        name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"
    }
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_imports_nothing(tmp_path: Path) -> None:
    """Neither Django nor Celery is imported, nor anything that needs settings."""
    assert run(tmp_path, "-c", CODE) == "[]\n"


def test_without_django(tmp_path: Path) -> None:
    """The tests of a project that isn't Django's run as ever."""
    (tmp_path / "test_other.py").write_text(TESTS)
    options = ["-p", "aftercommit.contrib.pytest", "-p", "no:cacheprovider", "-W", "error"]
    assert "1 passed" in run(tmp_path, "-m", "pytest", "-q", *options)


def test_entry_point() -> None:
    """The entry point names a module with the fixture."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (name,) = project["entry-points"]["pytest11"].values()
    assert importlib.import_module(name).outbox.__doc__
