"""The manifests of the page, checked against the schemas of Kubernetes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.deploying import blocks

pytestmark = [
    pytest.mark.slow,
    pytest.mark.only_on("postgres", reason="No database has a part in it. Once is enough."),
]

VERSIONS = ("1.30", "1.37")
"""The oldest version of Kubernetes that the page is for, and the newest with a schema."""

CHECK = """
import sys, kubernetes_validate, yaml

for manifest in yaml.safe_load_all(sys.stdin):
    kubernetes_validate.validate(manifest, sys.argv[1], strict=True)
    print(manifest["kind"])
"""

MANIFESTS = blocks("deploy-kubernetes", "yaml")


def check(kubernetes: Path, text: str, version: str) -> subprocess.CompletedProcess[str]:
    """Check the manifests. A key that the schema does not have is an error."""
    return subprocess.run(
        [sys.executable, "-c", CHECK, version],
        env={"PYTHONPATH": str(kubernetes), "PATH": os.environ["PATH"]},
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_valid(kubernetes: Path, version: str) -> None:
    """Kubernetes knows each key and each value."""
    done = check(kubernetes, "\n---\n".join(MANIFESTS.values()), version)
    assert done.returncode == 0, done.stderr[-2000:]
    kinds = [each["kind"] for text in MANIFESTS.values() for each in yaml.safe_load_all(text)]
    assert done.stdout.split() == kinds


def test_a_fault_is_seen(kubernetes: Path) -> None:
    """A key that is written wrong is none of the schema's."""
    text = MANIFESTS["site/worker.yaml"].replace("minReadySeconds", "minReadySecond")
    done = check(kubernetes, text, VERSIONS[-1])
    assert done.returncode == 1
    assert "'minReadySecond' was unexpected" in done.stderr
