"""The modules of a project, and which function calls which."""

from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

from aftercommit.adopt.facts import Class, Function, Module, Use
from aftercommit.adopt.loaded import is_subclass
from aftercommit.adopt.reader import read_module
from aftercommit.adopt.source import UnreadableError, read_source

DEEPEST = 20
"""The most imports of imports that are followed, and the most classes above one."""


class Project:
    """The definitions and the uses in the files of a project."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self.modules: dict[str, Module] = {}
        """For each name under which a module is imported, what it has."""

        self.files: dict[Path, Module] = {}
        self.unreadable: dict[Path, str] = {}
        """The files that were not read, with the reasons."""

        for path in paths:
            try:
                self._add(read_module(read_source(path)))
            except UnreadableError as error:
                self.unreadable[path] = str(error)

    def _add(self, module: Module) -> None:
        self.files[module.source.path] = module
        self.modules.update(dict.fromkeys(module.source.modules, module))

    @property
    def uses(self) -> Iterator[Use]:
        """Yield the uses of all modules."""
        return (use for module in self.files.values() for use in module.uses)

    @property
    def functions(self) -> Iterator[Function]:
        """Yield the functions of all modules."""
        return (each for module in self.files.values() for each in module.all_functions)

    def find(self, name: str, depth: int = DEEPEST) -> Function | Class | None:
        """Return the function or class that a dotted name stands for, through imports and bases."""
        module, rest = self._split(name)
        if module is None or depth == 0:
            return None
        inside = ".".join(part.removesuffix("()") for part in rest)
        own = f"{module.source.module}.{inside}"
        if "()" not in name and own in module.functions:
            return module.functions[own]
        if own in module.classes and not name.endswith("()()"):
            return module.classes[own]
        return self._find_behind(module, rest, depth - 1)

    def _find_behind(self, module: Module, rest: list[str], depth: int) -> Function | Class | None:
        """Find a method, or what the module has from elsewhere."""
        own = f"{module.source.module}.{'.'.join(rest[:-1])}".removesuffix("()")
        if len(rest) > 1 and own in module.classes:
            return self.method(module.classes[own], rest[-1], depth)
        first, call, _ = rest[0].partition("()")
        meaning = module.names(first)
        if meaning != f"{module.source.module}.{first}":
            return self.find(".".join([meaning + call, *rest[1:]]), depth)
        for star in module.names.stars:
            if found := self.find(".".join([star, *rest]), depth):
                return found
        return None

    def _split(self, name: str) -> tuple[Module | None, list[str]]:
        parts = name.split(".")
        for size in range(len(parts) - 1, 0, -1):
            if module := self.modules.get(".".join(parts[:size])):
                return module, parts[size:]
        return None, []

    def method(self, owner: Class, name: str, depth: int = DEEPEST) -> Function | None:
        """Return the method of this name of the class, or of the nearest class above it."""
        for each in self.lineage(owner, depth):
            if isinstance(each, Class) and name in each.methods:
                return self.files[each.source.path].functions.get(f"{each.name}.{name}")
        return None

    def methods(self, owner: Class) -> Iterator[Function]:
        """Yield the methods that the class itself has."""
        functions = self.files[owner.source.path].functions
        return (functions[f"{owner.name}.{name}"] for name in owner.methods)

    def lineage(self, owner: Class, depth: int = DEEPEST) -> Iterator[Class | str]:
        """Yield the class and those above it. A class of another package is its dotted name."""
        todo: list[Class | str] = [owner]
        seen: set[str] = set()
        while todo:
            each = todo.pop()
            yield each
            bases = each.bases if isinstance(each, Class) else ()
            for base in reversed([base for base in bases if base not in seen]):
                seen.add(base)
                found = self.find(base, depth - 1)
                todo.append(found if isinstance(found, Class) else base)

    def is_a(self, name: str, *kinds: type) -> bool:
        """Return whether the dotted name is a class that has one of these above it."""
        found = self.find(name)
        above = [*self.lineage(found)] if isinstance(found, Class) else [name]
        outside = [each for each in above if isinstance(each, str)]
        return any(is_subclass(each, kind) for each in outside for kind in kinds)

    def called(self, use: Use) -> Function | None:
        """Return the function of the project that a use calls, or hands over to be called."""
        found = self.find(use.name)
        if isinstance(found, Class):
            return self.method(found, "__init__" if use.is_call else "__call__")
        return found

    def reach(self, starts: Iterable[Function]) -> dict[Function, Function | None]:
        """Return the functions that these call, each with the one that calls it.

        A function inside another is taken for called by it. What on_commit calls is left out,
        because it runs elsewhere; so is what a signal is connected with.
        """
        callers: dict[Function, Function | None] = dict.fromkeys(starts)
        todo = deque(callers)
        while todo:
            function = todo.popleft()
            for each in self._callees(function):
                if each not in callers:
                    callers[each] = function
                    todo.append(each)
        return callers

    def _callees(self, function: Function) -> Iterator[Function]:
        for use in function.uses:
            if not use.runs_elsewhere and (found := self.called(use)):
                yield found
        yield from function.inside
