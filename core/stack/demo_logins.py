"""The passwords of the demo's users, each kept in a file that only its owner can read."""

from pathlib import Path

from core.stack.secret_file import kept_secret

FILES = "demo_*_password"


def password_file(var_dir: Path, username: str) -> Path:
    """Return the file that keeps the user's password."""
    return var_dir / FILES.replace("*", username)


def kept_password(var_dir: Path, username: str) -> str:
    """Return the user's password. The first call makes it up and keeps it."""
    return kept_secret(password_file(var_dir, username), 9)


def kept_logins(var_dir: Path) -> dict[str, str]:
    """Return the kept passwords by the names of their users."""
    before, _, after = FILES.partition("*")
    return {
        file.name.removeprefix(before).removesuffix(after): file.read_text().strip()
        for file in sorted(var_dir.glob(FILES))
    }
