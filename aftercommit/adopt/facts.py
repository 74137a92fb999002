"""The facts about a module: its functions, its classes, and what each piece of code uses."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from aftercommit.adopt.names import Names
from aftercommit.adopt.source import Source


@dataclass(frozen=True, slots=True)
class Decorator:
    """A decorator: its dotted name and its arguments."""

    name: str
    keywords: Mapping[str, Any]
    """The keywords whose values are written as literals."""

    arguments: tuple[str, ...] = ()
    """The dotted names of its other arguments."""


@dataclass(eq=False, slots=True)
class Function:
    """A function, and what its own code uses. A lambda is a part of the function around it."""

    source: Source
    name: str
    """The dotted name. A function inside another has the other's name before its own."""

    line: int
    owner: str = ""
    """The dotted name of its class."""

    parent: "Function | None" = None
    """The function around it."""

    decorators: tuple[Decorator, ...] = ()
    uses: list["Use"] = field(default_factory=list)
    inside: list["Function"] = field(default_factory=list)
    """The functions that are written inside it."""

    @property
    def around(self) -> Iterator["Function"]:
        """Yield the function and those around it."""
        function: Function | None = self
        while function:
            yield function
            function = function.parent

    @property
    def short(self) -> str:
        """Return the name without the module's."""
        return self.name.removeprefix(f"{self.source.module}.")


@dataclass(frozen=True, slots=True)
class Use:
    """A place where code calls something, or hands it over to be called."""

    name: str
    """The dotted name of what is used."""

    source: Source = field(repr=False)
    line: int
    end: int
    text: str
    """The expression before its last dot, as it is written. Empty for a long one."""

    function: Function | None = None
    is_call: bool = True
    withs: tuple[str, ...] = ()
    """The dotted names of the context managers around it."""

    given_to: tuple[str, ...] = ()
    """The dotted names of the calls that it is an argument of, the outermost first."""

    keywords: tuple[str, ...] = ()
    """The names of a call's keyword arguments."""

    texts: Mapping[str, str] = field(default_factory=dict)
    """The arguments of a call that are written as texts, by their numbers from 0 or their names."""

    @property
    def runs_elsewhere(self) -> bool:
        """Return whether on_commit or a signal runs it, and not the function that it is in."""
        return any(name.endswith((".connect", ".on_commit")) for name in self.given_to)

    @property
    def last(self) -> str:
        """Return what follows the last dot."""
        return self.name.rpartition(".")[2]


@dataclass(slots=True)
class Class:
    """A class: its bases by their dotted names."""

    source: Source
    name: str
    line: int
    bases: tuple[str, ...]
    decorators: tuple[Decorator, ...] = ()
    methods: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Module:
    """All that is kept of a file."""

    source: Source
    names: Names
    functions: dict[str, Function] = field(default_factory=dict)
    """The definitions by name. Of several with one name, the last."""

    all_functions: list[Function] = field(default_factory=list)
    classes: dict[str, Class] = field(default_factory=dict)
    uses: list[Use] = field(default_factory=list)
    """The uses of all its code, those of its functions too."""
