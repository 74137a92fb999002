"""The wheel: the library alone, and the same each time."""

from email import message_from_bytes
from pathlib import Path
from zipfile import ZipFile

import pytest

import aftercommit
from tests.integration.package import ROOT, build_wheel

EXTRAS = ["mysql", "opentelemetry", "postgresql", "prometheus", "redis", "sentry", "tasks"]


def contents(wheel: Path) -> tuple[set[str], list[str]]:
    """Return the wheel's files but for its metadata, and the metadata's files."""
    names = ZipFile(wheel).namelist()
    metadata = [name for name in names if ".dist-info/" in name]
    return set(names) - set(metadata), metadata


def test_files(wheel: Path) -> None:
    """The wheel has each file of the library, templates and migrations too, and no other."""
    library = (ROOT / "aftercommit").rglob("*")
    expected = {
        str(path.relative_to(ROOT))
        for path in library
        if path.is_file() and "__pycache__" not in path.parts
    }
    found, _ = contents(wheel)
    assert found == expected
    assert "aftercommit/py.typed" in found


def test_metadata(wheel: Path) -> None:
    """The metadata has the version, the licence, what is needed and what is optional."""
    _, names = contents(wheel)
    (name,) = [name for name in names if name.endswith("/METADATA")]
    metadata = message_from_bytes(ZipFile(wheel).read(name))
    assert metadata["Version"] == aftercommit.__version__
    assert metadata["License-Expression"] == "MIT"
    assert any(name.endswith("/licenses/LICENSE") for name in names)
    assert sorted(metadata.get_all("Provides-Extra", [])) == EXTRAS
    needed = [each for each in metadata.get_all("Requires-Dist", []) if "extra ==" not in each]
    assert needed == ["celery>=5.4", "django>=5.1"]


@pytest.mark.slow
def test_reproducible(wheel: Path, tmp_path: Path) -> None:
    """Another build of the same files is the same, byte for byte."""
    assert build_wheel(tmp_path).read_bytes() == wheel.read_bytes()
