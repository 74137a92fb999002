"""Tar archives, the form in which files go into a container and come out of it."""

import io
import tarfile
from pathlib import Path
from typing import IO


def unpack(data: bytes | IO[bytes], folder: Path) -> None:
    """Unpack an archive, compressed or not, into the folder."""
    stream = io.BytesIO(data) if isinstance(data, bytes) else data
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=stream, mode="r:*") as archive:
        # Not as an argument, which Python knows from 3.11.4 on only.
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(folder)  # noqa: S202  # the test's own files, filtered


def pack(source: Path) -> bytes:
    """The file or the folder as an uncompressed archive."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.add(source, arcname=source.name)
    return stream.getvalue()
