"""How Sphinx builds these pages: from Markdown, without the network, with nothing from elsewhere.

https://www.sphinx-doc.org/en/master/usage/configuration.html
"""

import os
import re
import sys
from pathlib import Path

import django
from django.conf import settings
from sphinx.application import Sphinx

PAGES = Path(__file__).resolve().parent
ROOT = PAGES.parent
sys.path.insert(0, str(ROOT))

import aftercommit  # noqa: E402  # found by the line above

# The reference shows the docstrings of the library, which Django's settings let it import.
settings.configure(
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "aftercommit"],
    DATABASES={"default": {"ENGINE": "aftercommit.db.sqlite3", "NAME": ":memory:"}},
)
django.setup()

project = "Aftercommit"
author = "The Aftercommit authors"
copyright = author
version = release = aftercommit.__version__
language = "en"

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]

# The anchors are GitHub's, so that a link to a heading works in both places.
myst_heading_anchors = 3
myst_links_external_new_tab = False

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
python_use_unqualified_type_names = True
# Nothing is downloaded to link to: Python's, Django's and Celery's names are no links.
nitpick_ignore_regex = [("py:.*", r"(?!aftercommit\.).*")]

html_theme = "furo"
pygments_dark_style = "github-dark"
html_title = f"{project} {version}"
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_show_sphinx = False
html_use_index = False
html_theme_options = {"navigation_with_keys": True}

RELATIVE_LINK = re.compile(r"\[([^\]]+)\]\((\.\./[^)#]+)(#[^)]*)?\)")
SHOWN_BY = {ROOT / "CHANGELOG.md": PAGES / "changelog.md"}
"""Files of the repository outside docs/, and the page that shows each."""


def link_pages_alone(app: Sphinx, name: str, source: list[str]) -> None:
    """Show a link to a file of the repository that is no page here as its text alone."""
    folder = (PAGES / name).parent

    def link_or_text(match: re.Match[str]) -> str:
        text, path, heading = match.groups(default="")
        target = (folder / path).resolve()
        page = SHOWN_BY.get(target, target)
        if not page.is_relative_to(PAGES):
            return text
        return f"[{text}]({os.path.relpath(page, folder)}{heading})"

    source[0] = RELATIVE_LINK.sub(link_or_text, source[0])


def setup(app: Sphinx) -> None:
    """Connect the function above with Sphinx."""
    app.connect("source-read", link_pages_alone)
