"""RabbitMQ as the broker: nothing is lost while it is down, hangs or refuses a queue."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.integration.program import Program
from tests.integration.recipes.recipe import Make, Recipe
from tests.tools.servers.rabbitmq import RabbitMQServer

PAGE = "how-to/rabbitmq.md"

QUORUM = """
CELERY_TASK_DEFAULT_QUEUE_TYPE = "quorum"
CELERY_BROKER_TRANSPORT_OPTIONS = {"confirm_publish": True}
"""

QUEUES = """
from kombu import Queue

CELERY_TASK_QUEUES = [Queue("celery"), Queue("mail", queue_arguments={"x-max-priority": 10})]
CELERY_TASK_ROUTES = {"shop.tasks.a_mail": {"queue": "mail", "priority": 5}}
"""

ORDER = """
from shop.tasks import write_receipt

with transaction.atomic():
    write_receipt.delay_on_commit(Order.objects.create().pk)
"""

MAIL = """
# shop/tasks.py
@shared_task
def a_mail(order_id):
    Receipt.objects.create(order_id=order_id)
"""
"""Its name comes before the other's, so that the sweep looks at it first."""

SEND_MAIL = ORDER.replace("write_receipt", "a_mail")

FLUSH = "from aftercommit.outbox.wake import flush_wake_ups; flush_wake_ups(10)"

pytestmark = pytest.mark.slow

classic_and_quorum = pytest.mark.parametrize(
    "settings", ["", QUORUM], ids=["classic queue", "quorum queue"]
)


def make(recipe: Make, server: RabbitMQServer, settings: str = "", tasks: str = "") -> Recipe:
    """Return the page's project with these settings and tasks besides."""
    made = recipe(PAGE, rabbitmq=server)
    made.write({"mysite/settings.py": settings, "shop/tasks.py": tasks})
    return made


def order(made: Recipe, count: int) -> None:
    """Place an order, and wait until there are so many receipts."""
    made.python(ORDER)
    made.wait_until(f"Receipt.objects.count() == {count}")


def lose_connection(worker: Program, server: RabbitMQServer) -> None:
    """Kill the server, and wait until the worker has noticed."""
    server.kill()
    worker.wait_to_say("Connection to broker lost")


@classic_and_quorum
def test_outage(recipe: Make, rabbitmq: RabbitMQServer, settings: str) -> None:
    """Calls of an outage have their effects when the server is back, and the worker lives."""
    made = make(recipe, rabbitmq, settings)
    with made.worker() as worker:
        order(made, 1)
        lose_connection(worker, rabbitmq)
        made.python(ORDER)
        rabbitmq.start()
        made.wait_until("Receipt.objects.count() == 2")
        order(made, 3)
        assert worker.lives
    made.wait_until_idle()


def test_wake_up(recipe: Make, rabbitmq: RabbitMQServer) -> None:
    """A message wakes the task: without any sweep the effect is had all the same."""
    made = make(recipe, rabbitmq, "OUTBOX_SWEEP_INTERVAL = 3600")
    with made.worker():
        order(made, 1)
        order(made, 2)


@contextmanager
def hanging(server: RabbitMQServer) -> Iterator[None]:
    """Have the server answer nothing in the block, though its connections are open."""
    assert server.process
    server.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        server.process.send_signal(signal.SIGCONT)


def wait_for_heartbeats(made: Recipe, count: int) -> None:
    """Wait until the worker has written so many heartbeats from now on."""
    made.python("from aftercommit.models import OutboxWorker")
    seen = "str(OutboxWorker.objects.get().seen_at)"
    for _ in range(count):
        made.wait_until(f"{seen} != {made.value(seen)!r}")


@classic_and_quorum
def test_hangs(recipe: Make, rabbitmq: RabbitMQServer, settings: str) -> None:
    """No request and no heartbeat waits for a server that hangs.

    The call has its effect when the server goes on.
    """
    made = make(recipe, rabbitmq, settings)
    with made.worker() as worker:
        order(made, 1)
        with hanging(rabbitmq):
            made.python(ORDER)
            worker.wait_to_say("No answer from RabbitMQ at 127.0.0.1")
            wait_for_heartbeats(made, 3)
            assert made.value("(Order.objects.count(), Receipt.objects.count())") == [2, 1]
        made.wait_until("Receipt.objects.count() == 2")
        assert worker.lives


def test_queue_declared_otherwise(recipe: Make, rabbitmq: RabbitMQServer) -> None:
    """A task whose queue can't be used is named. Others are woken, and swept, all the same."""
    made = make(recipe, rabbitmq, QUEUES, MAIL)
    made.python("""
from celery import current_app
from kombu import Queue

with current_app.connection_for_write() as connection:
    Queue("mail", channel=connection.default_channel).declare()
""")
    with made.worker("-Q celery") as worker:
        made.python(SEND_MAIL)
        order(made, 1)
        worker.wait_to_say("Not woken: shop.tasks.a_mail in 'default': Queue.declare: (406)")
        lose_connection(worker, rabbitmq)
        made.python(ORDER)  # whose wake-up is lost
        rabbitmq.start()
        made.wait_until("Receipt.objects.count() == 2")


def test_queues(recipe: Make, rabbitmq: RabbitMQServer) -> None:
    """A task is drained by the worker of its queue alone."""
    made = make(recipe, rabbitmq, QUEUES, MAIL)
    made.python(SEND_MAIL)
    with made.worker("-Q celery --hostname celery@%h"):
        order(made, 1)
        assert made.value("Receipt.objects.count()") == 1
        with made.worker("-Q mail --hostname mail@%h"):
            made.wait_until("Receipt.objects.count() == 2")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("tests:", "tests:x", "(403) ACCESS_REFUSED - Login was refused"),
        ("//", "//nowhere", "(530) NOT_ALLOWED - vhost nowhere not found"),
    ],
    ids=["password", "vhost"],
)
def test_refused(recipe: Make, rabbitmq: RabbitMQServer, old: str, new: str, said: str) -> None:
    """A wrong URL fails no request. The log says once what is wrong, with the server's words."""
    url = new.join(rabbitmq.url.rsplit(old, 1)).replace("//nowhere", "/nowhere")
    made = make(recipe, rabbitmq, f"CELERY_BROKER_URL = {url!r}")
    written = made.python(f"{ORDER}\n{FLUSH}") + made.python(f"{ORDER}\n{FLUSH}")
    assert written.count("Wake-ups not sent, the sweep will find the rows") == 1
    assert said in written
    assert made.value("Order.objects.count()") == 2
