"""What an engine leaves mounted when it ends."""

import subprocess
from pathlib import Path


def unmount_below(*folders: Path) -> None:
    """Unmount all that is mounted at or below the folders, the innermost first."""
    for place in sorted(mounted_below(*folders), key=len, reverse=True):
        subprocess.run(["umount", "--lazy", place], capture_output=True, check=False)


def mounted_below(*folders: Path) -> list[str]:
    """Return the places that are mounted at or below one of the folders."""
    places = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    return [
        place
        for place in places
        if any(Path(place).is_relative_to(folder.resolve()) for folder in folders)
    ]
