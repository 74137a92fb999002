"""Make the mutants of a module: its text with one place changed, as a slip of a hand would.

The places are found in the syntax tree and changed in the text, so that everything else stays.
"""

import ast
import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple


class Mutant(NamedTuple):
    """A module's text with one place changed."""

    line: int
    what: str
    """The kind of change, with the text before and after it."""
    text: str


OPPOSITES: dict[type[ast.AST], str] = {
    ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">", ast.Eq: "!=", ast.NotEq: "==",
    ast.Is: "is not", ast.IsNot: "is", ast.In: "not in", ast.NotIn: "in",
    ast.Add: "-", ast.Sub: "+", ast.Mult: "/", ast.Div: "*", ast.And: "or", ast.Or: "and",
}  # fmt: skip

SQL = re.compile(r"\b(SELECT|INSERT|UPDATE|DELETE)\b")
SQL_PARTS = re.compile(
    r"\bAND ([^\n()](?!FOR |ORDER ))+|\bORDER BY [^\n()]+|\bSKIP LOCKED\b|\bDISTINCT\b"
)

KEPT_DECORATORS = ("property", "classmethod", "staticmethod", "dataclass", "contextmanager")
"""Without one of them nothing works, or mypy complains."""

UNHEARD = ("logger.debug", "cast")
"""Calls that nobody needs to notice the loss of."""


def mutants(text: str) -> Iterator[Mutant]:
    """Yield every mutant of a module's text, from top to bottom."""
    module = _Module(text)
    for node in module.nodes():
        for change in CHANGES:
            yield from (mutant for mutant in change(module, node) if mutant.text != text)


class _Module:
    """A module's text and tree."""

    def __init__(self, text: str) -> None:
        self.text = text.encode()
        self._starts = [0]
        for line in self.text.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))

    def nodes(self) -> Iterator[ast.AST]:
        """Yield what runs: no annotations, no docstrings, nothing that only types see."""
        waiting: list[ast.AST] = [ast.parse(self.text)]
        while waiting:
            node = waiting.pop()
            yield node
            skipped = {getattr(node, name, None) for name in ("annotation", "returns")}
            waiting += [
                each
                for each in reversed([*ast.iter_child_nodes(node)])
                if each not in skipped and not _is_unrun(each)
            ]

    def span(self, node: ast.AST) -> tuple[int, int]:
        """Return where the node's text begins and ends."""
        place: ast.expr = node  # type: ignore[assignment]  # whatever has a place
        end = self._starts[(place.end_lineno or 1) - 1] + (place.end_col_offset or 0)
        return self._starts[place.lineno - 1] + place.col_offset, end

    def replace(self, what: str, begin: int, end: int, by: str) -> Mutant:
        """Return the mutant that has something else between these places."""
        line = self.text.count(b"\n", 0, begin) + 1
        before = " ".join(self.text[begin:end].decode().split())
        text = (self.text[:begin] + by.encode() + self.text[end:]).decode()
        return Mutant(line, f"{what}: {before} -> {by or 'nothing'}", text)

    def replace_node(self, what: str, node: ast.AST, by: str) -> Mutant:
        """Return the mutant that has something else in the node's place."""
        return self.replace(what, *self.span(node), by)

    def source(self, node: ast.AST) -> str:
        """Return the node's text."""
        begin, end = self.span(node)
        return self.text[begin:end].decode()


def _is_unrun(node: ast.AST) -> bool:
    is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return is_docstring or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))


def _drop_call(module: _Module, node: ast.AST) -> Iterator[Mutant]:
    is_call = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    if is_call and not module.source(node).startswith(UNHEARD):
        yield module.replace_node("call dropped", node, "pass")


def _return_none(module: _Module, node: ast.AST) -> Iterator[Mutant]:
    if isinstance(node, ast.Return) and node.value and ast.unparse(node.value) != "None":
        yield module.replace_node("nothing returned", node, "return None")


def _drop_argument(module: _Module, node: ast.AST) -> Iterator[Mutant]:
    for keyword in node.keywords if isinstance(node, ast.Call) else []:
        begin, end = module.span(keyword)
        comma = re.match(rb"\s*,", module.text[end:])
        yield module.replace("argument dropped", begin, end + (comma.end() if comma else 0), "")


def _drop_decorator(module: _Module, node: ast.AST) -> Iterator[Mutant]:
    for each in getattr(node, "decorator_list", []):
        if not ast.unparse(each).startswith(KEPT_DECORATORS):
            begin, end = module.span(each)
            yield module.replace("decorator dropped", begin - 1, end, "")


def _turn_operator(module: _Module, node: ast.AST) -> Iterator[Mutant]:
    pairs: list[tuple[ast.expr, ast.AST, ast.expr]]
    match node:
        case ast.Compare(left=left, ops=[operator], comparators=[right]):
            pairs = [(left, operator, right)]
        case ast.BinOp(left=left, op=sign, right=right):
            pairs = [(left, sign, right)]
        case ast.BoolOp(op=word, values=values):
            pairs = [(a, word, b) for a, b in pairwise(values)]
        case _:
            return
    for a, between, b in pairs:
        if other := OPPOSITES.get(type(between)):
            middle = module.text[module.span(a)[1] : module.span(b)[0]].decode()
            by = re.sub(r"[^\s()]+(\s+(not|in))?", other, middle, count=1)
            yield module.replace("operator", module.span(a)[1], module.span(b)[0], by)


def _turn_condition(module: _Module, node: ast.AST) -> Iterator[Mutant]:
    if isinstance(node, ast.If | ast.While | ast.IfExp):
        yield module.replace_node("condition", node.test, f"not ({module.source(node.test)})")
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield module.replace_node("not dropped", node, f"({module.source(node.operand)})")


def _change_constant(module: _Module, node: ast.AST) -> Iterator[Mutant]:
    if not isinstance(node, ast.Constant):
        return
    if isinstance(node.value, bool):
        yield module.replace_node("value", node, str(not node.value))
    elif isinstance(node.value, int | float):
        yield module.replace_node("value", node, str(2 * node.value + 1))


def _cut_sql(module: _Module, node: ast.AST) -> Iterator[Mutant]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL.search(node.value):
        begin, _ = module.span(node)
        for part in SQL_PARTS.finditer(module.source(node)):
            yield module.replace("cut from SQL", begin + part.start(), begin + part.end(), "")


CHANGES: tuple[Callable[[_Module, ast.AST], Iterator[Mutant]], ...] = (
    _drop_call, _return_none, _drop_argument, _drop_decorator,
    _turn_operator, _turn_condition, _change_constant, _cut_sql,
)  # fmt: skip
