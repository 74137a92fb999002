"""Secrets from a variable, or from a file that a variable names."""

import os
import re
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from core import given_secrets
from core.given_secrets import given_secret


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file of its owner's with a secret."""
    path = tmp_path / "word"
    path.write_text("hidden\n")
    path.chmod(0o600)
    return path


def refusal(file: Path, **environ: str) -> str:
    """Return the sentence that refuses the file."""
    with pytest.raises(ImproperlyConfigured) as raised:
        given_secret({"WORD_FILE": str(file), **environ}, "WORD")
    assert "hidden" not in str(raised.value)
    return str(raised.value)


def test_none() -> None:
    """An empty variable gives no secret, and names no file."""
    assert given_secret({}, "WORD") == given_secret({"WORD": "", "WORD_FILE": ""}, "WORD") == ""


def test_variable() -> None:
    """A variable is taken as it is."""
    assert given_secret({"WORD": " hidden\n"}, "WORD") == " hidden\n"


@pytest.mark.parametrize(
    "text", ["Tide#7/b@d", " a b ", "100%", "'\"\\$(x)`", "größe ✓", "a\nb", "a\r\nb"]
)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\n\n"])
def test_file(file: Path, text: str, end: str, mark: bytes) -> None:
    """Any text can be in it. Editors add line breaks at its end, and a mark before it."""
    file.write_bytes(mark + f"{text}{end}".encode())
    assert given_secret({"WORD_FILE": str(file)}, "WORD") == text


def test_fail_when_given_twice(file: Path) -> None:
    """Nobody can say which of them holds."""
    assert refusal(file, WORD="other") == "WORD and WORD_FILE are both set. Set one of them."


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"\xef\xbb\xbf\n", "is empty"),
        (b"\xff", "not text in UTF-8"),
        (b"hidden\0", "has a NUL"),
        (b"hidden" * 10_000, "more than 16384 bytes"),
    ],
)
def test_fail_when_there_is_no_secret_in_it(file: Path, content: bytes, why: str) -> None:
    """The sentence names the variable, the file and the reason."""
    file.write_bytes(content)
    assert re.fullmatch(rf"WORD_FILE={file} .*{why}.*\.", refusal(file))


def test_fail_when_it_is_not_there(tmp_path: Path) -> None:
    """Neither is a folder a file."""
    assert "No such file" in refusal(tmp_path / "word")
    assert "Is a directory" in refusal(tmp_path)


def test_fail_when_it_is_no_file(tmp_path: Path) -> None:
    """A pipe could keep the start waiting for ever. A device never ends."""
    os.mkfifo(tmp_path / "pipe", 0o600)
    for other in (tmp_path / "pipe", Path("/dev/zero")):
        assert "is not a file" in refusal(other)


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o602, 0o666])
def test_fail_when_others_can_read_it(file: Path, mode: int) -> None:
    """Every user of the machine knows the secret, or can change it."""
    file.chmod(mode)
    assert refusal(file) == (
        f"WORD_FILE={file} is open to every user of this machine. Run: chmod 600 {file}"
    )


def test_a_group_may_read_it(file: Path) -> None:
    """A service's group is how systems give it a secret."""
    file.chmod(0o640)
    assert given_secret({"WORD_FILE": str(file)}, "WORD") == "hidden"


def test_a_container_finds_its_secrets_open(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Engines mount them with modes of their own, and nobody else is in the container."""
    file.chmod(0o444)
    monkeypatch.setattr(given_secrets, "MOUNTED", file.parent)
    assert given_secret({"WORD_FILE": str(file)}, "WORD") == "hidden"
