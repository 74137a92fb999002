"""Tells mypy what ``@shared_task`` gives in this project: an OutboxTask, with its own options.

Celery's types can't know the application's task class, so that ``delay_on_commit`` and the options
``batch``, ``atomic`` and ``lease`` are unknown to them.
"""

from collections.abc import Callable

from mypy.build import PRI_MED
from mypy.nodes import ARG_STAR2, ImportFrom, MypyFile, TypeInfo
from mypy.plugin import FunctionContext, FunctionSigContext, Plugin
from mypy.types import AnyType, CallableType, FunctionLike, Instance, Type, TypeOfAny
from mypy.types import get_proper_type as proper

DECORATOR = "celery.app.shared_task"
TASK_MODULE = "aftercommit.outbox.task"


class OutboxPlugin(Plugin):
    """Changes one function of Celery's: what it takes, and what it returns."""

    def get_additional_deps(self, file: MypyFile) -> list[tuple[int, str, int]]:
        """Whoever imports from Celery needs the task class, which it doesn't import itself."""
        imported = {each.id for each in file.imports if isinstance(each, ImportFrom)}
        return [(PRI_MED, TASK_MODULE, -1)] if "celery" in imported else []

    def get_function_signature_hook(
        self, fullname: str
    ) -> Callable[[FunctionSigContext], FunctionLike] | None:
        """Widens the decorator's options."""
        return accept_options if fullname == DECORATOR else None

    def get_function_hook(self, fullname: str) -> Callable[[FunctionContext], Type] | None:
        """Replaces what the decorator returns."""
        return self.return_outbox_task if fullname == DECORATOR else None

    def return_outbox_task(self, context: FunctionContext) -> Type:
        """The project's task in place of Celery's, returned at once or by the decorator."""
        returned = proper(context.default_return_type)
        found = self.lookup_fully_qualified(f"{TASK_MODULE}.OutboxTask")
        if found is None or not isinstance(found.node, TypeInfo):
            return returned
        task = Instance(found.node, [])
        return returned.copy_modified(ret_type=task) if isinstance(returned, CallableType) else task


def accept_options(context: FunctionSigContext) -> FunctionLike:
    """The signature with any other option beside Celery's, where it takes options at all."""
    signature = context.default_signature
    if "name" not in signature.arg_names:
        return signature
    return signature.copy_modified(
        arg_types=[*signature.arg_types, AnyType(TypeOfAny.explicit)],
        arg_kinds=[*signature.arg_kinds, ARG_STAR2],
        arg_names=[*signature.arg_names, "options"],
    )


def plugin(version: str) -> type[Plugin]:
    """What mypy calls to get the plugin."""
    return OutboxPlugin
