"""The Celery task by which the calls of one task of Django's run."""

from inspect import Parameter, Signature, signature
from typing import Any

from celery import current_app
from celery.app.task import Context
from celery.utils.functional import head_from_fun

from aftercommit.call import Call
from aftercommit.contrib.tasks.api import (
    DEFAULT_TASK_QUEUE_NAME,
    AnyTask,
    InvalidTask,
    task_started,
)
from aftercommit.contrib.tasks.functions import NotReturnable, call_function
from aftercommit.contrib.tasks.names import name_task
from aftercommit.contrib.tasks.options import BackendOptions
from aftercommit.contrib.tasks.outcomes import Outcomes, keeps_results
from aftercommit.contrib.tasks.runs import begin_run
from aftercommit.outbox.task import OutboxTask


class DjangoTask(OutboxTask[..., Any]):
    """A Celery task that runs a task of Django's, with the options of its backend in TASKS."""

    abstract = True
    ignore_result = False
    dont_autoretry_for = (NotReturnable,)

    django_task: AnyTask
    backend_options: BackendOptions

    def end_eager_call(self, call: Call, outcome: Any) -> None:
        """Keep the outcome of a call that ran at once, as Celery's eager mode has it."""
        values = {"id": call.id, "task": self.name, "args": call.args, "kwargs": call.kwargs}
        request = Context({**values, "headers": call.options.get("headers")})
        self.backend.store_result(call.id, outcome.result, outcome.state, request=request)


def celery_task_of(task: AnyTask, options: BackendOptions) -> Any:
    """Return the Celery task for the task's calls, and register it if need be.

    Raises InvalidTask if a worker could not find the task by its name.
    """
    name = name_task(task)
    known = current_app.tasks.get(name)
    if known is None:
        return register(task, name, options)
    if not isinstance(known, DjangoTask):
        raise InvalidTask(f"{name} is a Celery task too. Give one of the two another name.")
    if known.backend_options == options and known.django_task.func is task.func:
        return known
    current_app.tasks.pop(name)
    return register(task, name, options)


def register(task: AnyTask, name: str, options: BackendOptions) -> Any:
    """Return a new Celery task of this name, registered."""
    celery_task: Any = make_class(task, name, options)()
    celery_task.run = make_run(celery_task, task)
    current_app.register_task(celery_task)
    celery_task.backend = Outcomes(current_app)
    if task.queue_name != DEFAULT_TASK_QUEUE_NAME:
        celery_task.queue = task.queue_name  # of its class it would be deprecated by Celery
    return celery_task


def make_class(task: AnyTask, name: str, options: BackendOptions) -> type[DjangoTask]:
    """Return the class of the Celery task, which is where Celery looks for a task's options."""
    values = {
        "__module__": task.func.__module__,
        "__doc__": task.func.__doc__,
        "__header__": staticmethod(head_from_fun(task.func, bound=task.takes_context)),
        "name": name,
        "django_task": task,
        "backend_options": options,
        **dict(options.of_task),
    }
    return type(task.name, (DjangoTask,), values)


def make_run(celery_task: DjangoTask, task: AnyTask) -> Any:
    """Return the function that Celery calls, with the arguments that the task's calls have."""

    def run(*args: Any, **kwargs: Any) -> Any:
        result = begin_run(task, celery_task.request, keeps_results(celery_task.backend_options))
        task_started.send_robust(type(task.get_backend()), task_result=result)
        return call_function(task, result, args, kwargs)

    run.__signature__ = signature_of(task)  # type: ignore[attr-defined]  # what inspect looks for
    return run


def signature_of(task: AnyTask) -> Signature:
    """Return the arguments that a call has. The context is not among them."""
    whole = signature(task.func)
    given: list[Parameter] = list(whole.parameters.values())
    return whole.replace(parameters=given[1:] if task.takes_context else given)
