"""The place of a piece of code: its function, class, context managers and calls."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from aftercommit.adopt.facts import Function
from aftercommit.adopt.names import UNKNOWN, Names, assigned, dotted, makes_function

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Scope:
    """The surroundings of a node. What a node is inside of is the same for all below it."""

    names: Names
    function: Function | None = None
    owner: str = ""
    """The dotted name of the class whose body this is."""

    local: dict[str, str] = field(default_factory=dict)
    """The names that the functions around it bind, with what they stand for."""

    withs: tuple[str, ...] = ()
    given_to: tuple[str, ...] = ()

    def meaning(self, name: str) -> str:
        """Return the dotted name that a bare name stands for here."""
        found = self.local.get(name)
        return self.names(name) if found is None else found

    def dotted(self, node: ast.AST) -> str:
        """Return the dotted name of an expression here."""
        return dotted(node, self.meaning)

    def qualified(self, name: str) -> str:
        """Return the dotted name of what is defined here."""
        around = self.owner or (self.function.name if self.function else self.names.module)
        return f"{around}.{name}"


def bound_names(node: FunctionNode, function: Function, outer: Scope) -> dict[str, str]:
    """Return what the names stand for that the function binds, those around it included.

    The first value that says something counts. A name that an import binds is left to the module.
    """
    scope = Scope(outer.names, local=dict(outer.local))
    for name, meaning in _arguments(node, function, outer):
        scope.local[name] = meaning
    for name, value in _statements(node):
        if isinstance(value, FunctionNode | ast.ClassDef) or makes_function(value, scope.meaning):
            scope.local[name] = f"{function.name}.{name}"
        elif scope.local.get(name, UNKNOWN).startswith(UNKNOWN) or name in outer.local:
            scope.local[name] = scope.dotted(value) if value else UNKNOWN
    return scope.local


def _arguments(node: FunctionNode, function: Function, outer: Scope) -> Iterator[tuple[str, str]]:
    found = node.args
    for each in [*found.posonlyargs, *found.args, *found.kwonlyargs, found.vararg, found.kwarg]:
        if each:
            hint = outer.dotted(each.annotation) if each.annotation else UNKNOWN
            yield each.arg, UNKNOWN if hint.startswith((UNKNOWN, "builtins.")) else f"{hint}()"
    first = [*found.posonlyargs, *found.args][:1]
    kinds = [each.name.removeprefix("builtins.") for each in function.decorators]
    if function.owner and first and "staticmethod" not in kinds:
        yield first[0].arg, function.owner + ("" if "classmethod" in kinds else "()")


def _statements(node: FunctionNode) -> Iterator[tuple[str, ast.AST | None]]:
    """Yield the names that the function's statements bind, in their order, with the values."""
    todo: list[ast.AST] = list(reversed(node.body))
    while todo:
        each = todo.pop()
        if isinstance(each, FunctionNode | ast.ClassDef):
            yield each.name, each
            continue
        yield from assigned(each)
        yield from _rows(each)
        todo.extend(reversed(list(ast.iter_child_nodes(each))))


def _rows(node: ast.AST) -> Iterator[tuple[str, ast.AST | None]]:
    """Yield the target of a loop, with an expression for one of the rows of a query."""
    if not isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
        return
    if isinstance(node.target, ast.Name):
        yield node.target.id, ast.Call(func=node.iter, args=[], keywords=[])
