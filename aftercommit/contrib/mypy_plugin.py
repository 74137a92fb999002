"""Have mypy know what ``@shared_task`` gives where tasks are OutboxTasks, with its own options.

Celery's types can't know the application's task class. So they know neither ``delay_on_commit`` and
``using`` nor the options ``batch``, ``atomic`` and ``lease``.
"""

from collections.abc import Callable

from mypy.build import PRI_MED
from mypy.nodes import ARG_STAR, ARG_STAR2, ImportFrom, MypyFile, TypeInfo
from mypy.plugin import FunctionContext, FunctionSigContext, Plugin
from mypy.types import (
    AnyType,
    CallableType,
    FunctionLike,
    Instance,
    LiteralType,
    Parameters,
    Type,
    TypeOfAny,
)
from mypy.types import get_proper_type as proper

DECORATOR = "celery.app.shared_task"
CELERYS_TASK = "celery.app.task.Task"
TASK_MODULE = "aftercommit.outbox.task"


class OutboxPlugin(Plugin):
    """Change what ``@shared_task`` takes, and what it returns."""

    def get_additional_deps(self, file: MypyFile) -> list[tuple[int, str, int]]:
        """Return the task's module for whoever imports from Celery, which doesn't import it."""
        imported = {each.id for each in file.imports if isinstance(each, ImportFrom)}
        return [(PRI_MED, TASK_MODULE, -1)] if "celery" in imported else []

    def get_function_signature_hook(
        self, fullname: str
    ) -> Callable[[FunctionSigContext], FunctionLike] | None:
        """Widen the decorator's options."""
        return accept_options if fullname == DECORATOR else None

    def get_function_hook(self, fullname: str) -> Callable[[FunctionContext], Type] | None:
        """Replace what the decorator returns."""
        return self.return_outbox_task if fullname == DECORATOR else None

    def return_outbox_task(self, context: FunctionContext) -> Type:
        """Return an OutboxTask for a task of Celery's, which the decorator gives now or later."""
        returned = proper(context.default_return_type)
        if isinstance(returned, CallableType):
            task = self.as_outbox_task(proper(returned.ret_type), is_batch(context))
            return returned.copy_modified(ret_type=task)
        return self.as_outbox_task(returned, batch=False)

    def as_outbox_task(self, task: Type, batch: bool) -> Type:
        """Return the same task as an OutboxTask, with the arguments that its calls take."""
        found = self.lookup_fully_qualified(f"{TASK_MODULE}.OutboxTask")
        if found is None or not isinstance(found.node, TypeInfo):
            return task
        if not isinstance(task, Instance) or task.type.fullname != CELERYS_TASK:
            return task  # it has a base of its own, which says what it is
        # The function of a batch takes calls, and each of these has any arguments.
        arguments = any_arguments() if batch else task.args[0]
        return Instance(found.node, [arguments, task.args[1]])


def is_batch(context: FunctionContext) -> bool:
    """Return whether the decorator is given ``batch=True``, or something that can be true."""
    for names, types in zip(context.arg_names, context.arg_types, strict=True):
        for name, given in zip(names, types, strict=True):
            if name == "batch":
                value = proper(given)
                literal = value.last_known_value if isinstance(value, Instance) else value
                return not (isinstance(literal, LiteralType) and literal.value is False)
    return False


def any_arguments() -> Parameters:
    """Return the arguments ``...``."""
    any_type = AnyType(TypeOfAny.explicit)
    kinds, names = [ARG_STAR, ARG_STAR2], [None, None]
    return Parameters([any_type, any_type], kinds, names, is_ellipsis_args=True)


def accept_options(context: FunctionSigContext) -> FunctionLike:
    """Return the signature with any other option beside Celery's, if it takes options at all."""
    signature = context.default_signature
    if "name" not in signature.arg_names or ARG_STAR2 in signature.arg_kinds:
        return signature
    return signature.copy_modified(
        arg_types=[*signature.arg_types, AnyType(TypeOfAny.explicit)],
        arg_kinds=[*signature.arg_kinds, ARG_STAR2],
        arg_names=[*signature.arg_names, "options"],
    )


def plugin(version: str) -> type[Plugin]:
    """Return the plugin. mypy calls this function by its name."""
    return OutboxPlugin
