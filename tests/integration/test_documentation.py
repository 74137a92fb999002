"""The documentation is built without a warning, and its pages need nothing from elsewhere."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parents[2]
LOADED = re.compile(r"""(?:<script[^>]*\ssrc=|<img[^>]*\ssrc=|<link[^>]*\shref=)"([^"]+)\"""")
IN_STYLES = re.compile(r"""(?:url\(|@import\s)['"]?(https?:|//)""")


def build(pages: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Build the pages as ``make docs`` does."""
    options = ["--fresh-env", "--fail-on-warning", "--keep-going", "--nitpicky", "--quiet"]
    folders = ["-d", str(folder / "doctrees"), str(pages), str(folder / "html")]
    command = [sys.executable, "-m", "sphinx", *options, *folders]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    """Return a copy of the pages."""
    shutil.copy(PROJECT / "CHANGELOG.md", tmp_path)
    ignored = shutil.ignore_patterns("_build")
    return shutil.copytree(PROJECT / "docs", tmp_path / "docs", ignore=ignored)


def test_builds_alone(pages: Path, tmp_path: Path) -> None:
    """No page has a warning, loads anything from elsewhere, or shows a file that is not there."""
    built = build(pages, tmp_path)
    assert (built.returncode, built.stderr) == (0, "")
    html = tmp_path / "html"
    for page in html.rglob("*.html"):
        loaded = [each for each in LOADED.findall(page.read_text()) if not each.startswith("#")]
        files = [page.parent / re.sub(r"[?#].*", "", each) for each in loaded]
        assert [file for file in files if not file.is_file()] == [], page
    for style in html.rglob("*.css"):
        assert not IN_STYLES.search(style.read_text()), style
    assert {path.relative_to(pages).with_suffix("") for path in pages.rglob("*.md")} == {
        path.relative_to(html).with_suffix("") for path in html.rglob("*.html")
    } - {Path("genindex"), Path("search")}


def test_broken_links(pages: Path, tmp_path: Path) -> None:
    """A link to a page or a heading that is not there fails the build, with its place."""
    broken = ["no-such-page.md", "index.md#no-such-heading", "#nowhere"]
    glossary = pages / "glossary.md"
    glossary.write_text(glossary.read_text() + "".join(f"[Read]({link}).\n" for link in broken))
    built = build(pages, tmp_path)
    assert built.returncode == 1
    named = [line for line in built.stderr.splitlines() if "glossary.md" in line]
    assert len(named) == len(broken)
