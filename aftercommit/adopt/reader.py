"""Read a module's tree once, and keep what its code uses."""

import ast
from dataclasses import replace
from typing import Any

from aftercommit.adopt.facts import Class, Decorator, Function, Module, Use
from aftercommit.adopt.names import LAMBDA, UNKNOWN, Names, assigned, makes_function
from aftercommit.adopt.scope import FunctionNode, Scope, bound_names
from aftercommit.adopt.source import Source, parse

LONGEST_TEXT = 60
"""The most characters of an expression that a finding repeats."""


def read_module(source: Source) -> Module:
    """Return what the module defines and uses. Raise UnreadableError if it is no Python."""
    tree = parse(source)
    names = Names(source.module, source.path.name == "__init__.py")
    names.read(tree)
    module = Module(source, names)
    todo: list[tuple[ast.AST, Scope]] = [(tree, Scope(names))]
    while todo:  # no recursion: a generated expression can be deeper than Python's stack
        node, scope = todo.pop()
        inner = _enter(node, scope, module)
        todo.extend((child, inner) for child in reversed(list(ast.iter_child_nodes(node))))
    return module


def _enter(node: ast.AST, scope: Scope, module: Module) -> Scope:
    """Keep what the node defines or uses, and return the scope of what is below it."""
    if isinstance(node, FunctionNode):
        return _enter_function(node, scope, module)
    if isinstance(node, ast.ClassDef):
        return _enter_class(node, scope, module)
    if isinstance(node, ast.Lambda):
        hidden = {each.arg: UNKNOWN for each in ast.walk(node.args) if isinstance(each, ast.arg)}
        return replace(scope, local=scope.local | hidden, given_to=(*scope.given_to, LAMBDA))
    if isinstance(node, ast.With | ast.AsyncWith):
        managers = [scope.dotted(item.context_expr) for item in node.items]
        return replace(scope, withs=(*scope.withs, *managers))
    if isinstance(node, ast.Call):
        return _enter_call(node, scope, module)
    for name, value in assigned(node):
        if makes_function(value, scope.meaning):
            return replace(scope, function=_define(name, node, scope, module))
    return scope


def _enter_function(node: FunctionNode, scope: Scope, module: Module) -> Scope:
    function = _define(node.name, node, scope, module)
    return Scope(scope.names, function, local=bound_names(node, function, scope))


def _define(name: str, node: Any, scope: Scope, module: Module) -> Function:
    """Keep a function with this name: of a ``def``, or of a statement that names a lambda."""
    decorators = tuple(_decorator(each, scope) for each in getattr(node, "decorator_list", ()))
    place = (node.lineno, scope.owner, scope.function, decorators)
    function = Function(module.source, scope.qualified(name), *place)
    module.functions[function.name] = function
    module.all_functions.append(function)
    if scope.function:
        scope.function.inside.append(function)
    if scope.owner in module.classes:
        module.classes[scope.owner].methods.add(name)
    return function


def _enter_class(node: ast.ClassDef, scope: Scope, module: Module) -> Scope:
    name = scope.qualified(node.name)
    bases = tuple(scope.dotted(base) for base in node.bases)
    decorators = tuple(_decorator(each, scope) for each in node.decorator_list)
    module.classes[name] = Class(module.source, name, node.lineno, bases, decorators)
    return Scope(scope.names, scope.function, name, scope.local)


def _decorator(node: ast.expr, scope: Scope) -> Decorator:
    keywords = node.keywords if isinstance(node, ast.Call) else []
    values = {
        each.arg: each.value.value
        for each in keywords
        if each.arg and isinstance(each.value, ast.Constant)
    }
    arguments = node.args if isinstance(node, ast.Call) else []
    return Decorator(scope.dotted(node), values, tuple(map(scope.dotted, arguments)))


def _enter_call(node: ast.Call, scope: Scope, module: Module) -> Scope:
    """Keep what is called, and each thing that is handed over: it may be called there."""
    name = scope.dotted(node.func)
    inner = replace(scope, given_to=(*scope.given_to, name))
    values = [*node.args, *(each.value for each in node.keywords)]
    called = replace(
        _use(node.func, name, scope, module.source),
        line=node.lineno,
        end=_end(node),
        keywords=tuple(each.arg or "**" for each in node.keywords),
        texts=_texts(node),
    )
    _keep(called, module)
    for value in values:
        if isinstance(value, ast.Name | ast.Attribute | ast.Call):
            handed = _use(value, scope.dotted(value), inner, module.source)
            _keep(replace(handed, is_call=False), module)
    return inner


def _texts(node: ast.Call) -> dict[str, str]:
    """Return the arguments that are written as texts, by their numbers or their names."""
    given = [(str(number), value) for number, value in enumerate(node.args)]
    given += [(each.arg or "**", each.value) for each in node.keywords]
    values = {name: each.value for name, each in given if isinstance(each, ast.Constant)}
    return {name: value for name, value in values.items() if isinstance(value, str)}


def _use(node: ast.expr, name: str, scope: Scope, source: Source) -> Use:
    text = _text(node.value if isinstance(node, ast.Attribute) else node, source)
    place = (source, node.lineno, _end(node), text, scope.function)
    return Use(name, *place, withs=scope.withs, given_to=scope.given_to)


def _keep(use: Use, module: Module) -> None:
    if use.name == UNKNOWN:
        return
    module.uses.append(use)
    if use.function:
        use.function.uses.append(use)


def _end(node: ast.expr) -> int:
    return node.end_lineno or node.lineno


def _text(node: ast.expr, source: Source) -> str:
    """Return the expression as it is written, if it is short and on one line. Else return ""."""
    if node.lineno != node.end_lineno or node.end_col_offset is None:
        return ""
    line = source.lines[node.lineno - 1].encode()
    text = line[node.col_offset : node.end_col_offset].decode(errors="replace")
    return text if len(text) <= LONGEST_TEXT else ""
