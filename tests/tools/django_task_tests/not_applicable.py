"""The tests of Django's that can't pass on the library's backend, each with the reason."""

NO_PRIORITY = "the outbox has no order by priority, so that a priority is refused"
OWN_OPTION = "it gives the backend an option of its own; an unknown option is refused"
IN_MEMORY = "it changes a result in the memory of the dummy backend"
IN_TRANSACTION = "a task that is enqueued in a transaction waits for the commit on purpose"
HAS_RESULTS = "it is about a backend that keeps no results"
HAS_RUN_AFTER = "it is about a backend without run_after"
IS_COMPLETE = "it is about a class that lacks enqueue()"

CUSTOM = "test_custom_backend.CustomBackendTestCase"
DUMMY = "test_dummy_backend.DummyBackendTestCase"
DUMMY_COMMIT = "test_dummy_backend.DummyBackendTransactionTestCase"
IMMEDIATE = "test_immediate_backend.ImmediateBackendTestCase"
IMMEDIATE_COMMIT = "test_immediate_backend.ImmediateBackendTransactionTestCase"
TASK = "test_tasks.TaskTestCase"

REASONS = {
    f"{CUSTOM}.test_backend_does_not_support_priority": OWN_OPTION,
    f"{CUSTOM}.test_enqueue_async_task_on_non_async_backend": OWN_OPTION,
    f"{CUSTOM}.test_no_enqueue": IS_COMPLETE,
    f"{CUSTOM}.test_options": OWN_OPTION,
    f"{CUSTOM}.test_using_correct_backend": OWN_OPTION,
    f"{DUMMY}.test_refresh_result": IN_MEMORY,
    f"{DUMMY}.test_refresh_result_async": IN_MEMORY,
    f"{DUMMY_COMMIT}.test_doesnt_wait_until_transaction_commit_by_default": IN_TRANSACTION,
    f"{IMMEDIATE}.test_cannot_get_result": HAS_RESULTS,
    f"{IMMEDIATE}.test_cannot_refresh_result": HAS_RESULTS,
    f"{IMMEDIATE}.test_cannot_pass_run_after": HAS_RUN_AFTER,
    f"{IMMEDIATE_COMMIT}.test_doesnt_wait_until_transaction_commit_by_default": IN_TRANSACTION,
    f"{TASK}.test_chained_using": NO_PRIORITY,
    f"{TASK}.test_invalid_priority": NO_PRIORITY,
    f"{TASK}.test_using_priority": NO_PRIORITY,
}

NOT_PICKLED = "tasks of the package django-tasks can't be pickled"
OTHER_WORDS = "the package django-tasks says it in other words"

REASONS_OF_BACKPORT = {
    f"{TASK}.test_pickle_task": NOT_PICKLED,
    f"{TASK}.test_pickle_task_result": NOT_PICKLED,
    f"{TASK}.test_unpickle_arbitrary_string": NOT_PICKLED,
    f"{TASK}.test_unpickle_non_task_object": NOT_PICKLED,
    f"{TASK}.test_run_after_in_decorator": OTHER_WORDS,
}
"""Beside those, the tests that don't apply to the package django-tasks."""
