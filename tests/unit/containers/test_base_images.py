"""The stand-ins for base images."""

import pytest

from tests.containers import base_images
from tests.containers.base_images import FILES, made_from, others


def test_made_again_when_its_files_change(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A change of one stand-in leaves the others as they are."""
    names = {each.name.partition(".")[0] for each in FILES.glob("*.Dockerfile")}
    assert names == {*others()}
    before = {name: made_from(name) for name in names}
    copies = tmp_path_factory.mktemp("stand_ins")
    for each in FILES.glob("*.*"):
        (copies / each.name).write_bytes(each.read_bytes())
    monkeypatch.setattr(base_images, "FILES", copies)
    assert {name: made_from(name) for name in names} == before
    (copies / "pgbouncer.sh").write_text("other")
    assert [name for name in names if made_from(name) != before[name]] == ["pgbouncer"]
