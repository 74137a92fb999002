"""The projects of others, which may have another DEFAULT_AUTO_FIELD than this one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
APPS = ("aftercommit", "content", "notifications", "audit")


@pytest.mark.parametrize("field", ["AutoField", "SmallAutoField", "BigAutoField"])
def test_makemigrations_changes_nothing(tmp_path: Path, field: str) -> None:
    """The keys stay 64-bit integers, whatever DEFAULT_AUTO_FIELD is; Django's own is AutoField."""
    settings = f"from core.settings import *\nDEFAULT_AUTO_FIELD = 'django.db.models.{field}'\n"
    (tmp_path / "other_settings.py").write_text(settings)
    done = subprocess.run(
        [
            *(sys.executable, "manage.py", "makemigrations", "--check", "--dry-run"),
            *("--settings", "other_settings", *APPS),
        ],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": str(tmp_path),
            "DATABASE_URL": "sqlite://:memory:",
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
