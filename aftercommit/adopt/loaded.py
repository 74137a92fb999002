"""Objects that Django has loaded, by their dotted names. Nothing is imported."""

import inspect
import sys
from typing import Any


def loaded(name: str) -> Any:
    """Return the object of this dotted name, or None if its module is not loaded or has none.

    No code of the module runs: neither its ``__getattr__`` nor a property.
    """
    parts = name.split(".")
    for size in range(len(parts), 0, -1):
        module = sys.modules.get(".".join(parts[:size]))
        if module is not None:
            return _attribute(module, parts[size:])
    return None


def is_subclass(name: str, base: type) -> bool:
    """Return whether the name is that of a loaded class with this base."""
    found = loaded(name)
    return issubclass(type(found), type) and base in found.__mro__


def is_exported(module: str, name: str) -> bool:
    """Return whether ``from module import *`` binds the name. The module has to be loaded."""
    names = vars(sys.modules[module]) if module in sys.modules else {}
    return name in names.get("__all__", names) and not name.startswith("_")


def _attribute(value: Any, parts: list[str]) -> Any:
    for part in parts:
        value = inspect.getattr_static(value, part, None)
    return value
