"""The dotted names that expressions stand for, such as ``shop.tasks.notify.s().delay``.

``()`` follows what is called, ``[]`` what is looked up in. A name of which the code says nothing
begins with ``?``.
"""

import ast
import builtins
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from aftercommit.adopt.loaded import is_exported

UNKNOWN = "?"

LAMBDA = "<lambda>"
"""Stands among the calls around a place for a lambda, whose code runs later."""

LONGEST = 40
"""The most parts of a name. A longer chain is a query or a generated text."""

CANVAS = "celery.chain()"
"""The name of signatures that are joined by ``|``."""

SIGNATURES = (".s()", ".si()", ".signature()", ".subtask()", ".group()", ".chord()", ".chain()")

ROW = re.compile(
    r"\.(objects|_default_manager|_base_manager)\b.*(\.(get|create|first|last)\(\)|\(\)\(\))"
)
"""A query that returns an instance of the model before it, or what a loop over it gets."""


def dotted(node: ast.AST, names: Callable[[str], str]) -> str:
    """Return the dotted name of an expression, given what a bare name stands for."""
    parts: list[str] = []
    for _ in range(LONGEST):
        if isinstance(node, ast.Name):
            return ROW.sub("()", "".join([names(node.id), *reversed(parts)]))
        if isinstance(node, ast.Await | ast.NamedExpr):
            node = node.value
            continue
        if _joins_signatures(node, names):
            return "".join([CANVAS, *reversed(parts)])
        part, inner = _part(node)
        if inner is None:
            break
        parts.append(part)
        node = inner
    return "".join([UNKNOWN, *reversed(parts)])


def _joins_signatures(node: ast.AST, names: Callable[[str], str]) -> bool:
    """Return whether it is a chain, as in ``first.s() | second.s()``."""
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.BitOr):
        return False
    # The left side of a long chain is as deep as the chain is long.
    return dotted(node.right, names).endswith(SIGNATURES)


def makes_function(node: ast.AST | None, names: Callable[[str], str]) -> bool:
    """Return whether the expression makes a function: a lambda, or ``functools.partial(…)``."""
    if isinstance(node, ast.Call):
        return dotted(node.func, names) == "functools.partial"
    return isinstance(node, ast.Lambda)


def _part(node: ast.AST) -> tuple[str, ast.AST | None]:
    if isinstance(node, ast.Attribute):
        return f".{node.attr}", node.value
    if isinstance(node, ast.Call):
        return "()", node.func
    if isinstance(node, ast.Subscript):
        return "[]", node.value
    return "", None


@dataclass
class Names:
    """The objects that the bare names of a module stand for."""

    module: str
    is_package: bool
    known: dict[str, str] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)
    """The modules of which everything is imported."""

    def __call__(self, name: str) -> str:
        """Return the dotted name for a bare one. What the module doesn't say is its own."""
        if name in self.known:
            return self.known[name]
        starred = [star for star in self.stars if is_exported(star, name)]
        if not starred and not self.stars and hasattr(builtins, name):
            return f"builtins.{name}"
        return f"{[self.module, *starred][-1]}.{name}"

    def read(self, tree: ast.Module) -> None:
        """Learn the imports of the whole module, and what its own statements define."""
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                self._learn_import(node)
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                self.known[node.name] = f"{self.module}.{node.name}"
            for name, value in assigned(node):
                self.known[name] = f"{self.module}.{name}"
                if makes_function(value, self):
                    continue
                if (meaning := dotted(value, self)) and not meaning.startswith(UNKNOWN):
                    self._learn_alias(name, meaning)

    def _learn_alias(self, name: str, meaning: str) -> None:
        """Remember what a name was given, unless that is a value which has the name itself."""
        if not meaning.startswith((f"{self.module}.{name}", "builtins.", "celery.")):
            self.known[name] = meaning

    def _learn_import(self, node: ast.Import | ast.ImportFrom) -> None:
        base = self._base(node) if isinstance(node, ast.ImportFrom) else ""
        for each in node.names:
            if each.name == "*":
                self.stars.append(base)
            elif base:
                self.known[each.asname or each.name] = f"{base}.{each.name}"
            elif each.asname:
                self.known[each.asname] = each.name
            else:
                top = each.name.partition(".")[0]
                self.known[top] = top

    def _base(self, node: ast.ImportFrom) -> str:
        """Return the module from which the statement imports."""
        if not node.level:
            return node.module or ""
        parts = self.module.split(".")
        kept = len(parts) - node.level + self.is_package
        return ".".join([*parts[: max(kept, 0)], *filter(None, [node.module])])


def assigned(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Yield each name that the statement gives a value, and the value's expression."""
    if isinstance(node, ast.Assign):
        yield from ((each.id, node.value) for each in node.targets if isinstance(each, ast.Name))
    elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and isinstance(node.target, ast.Name):
        if node.value:
            yield node.target.id, node.value
    elif isinstance(node, ast.withitem) and isinstance(node.optional_vars, ast.Name):
        yield node.optional_vars.id, node.context_expr
