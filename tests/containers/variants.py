"""The other ways to start the system: behind PgBouncer, and with RabbitMQ instead of Redis.

Each has a short run of its own, on the images of the long one.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tests.containers import figures, isolation, story
from tests.containers.compose import Compose, Variant
from tests.containers.docker import Docker
from tests.containers.errors import Broken
from tests.containers.run import Run
from tests.containers.traffic import Traffic
from tests.tools.demo.progress import Screen


class Trial(NamedTuple):
    """A way to start the system, and what is tried with it."""

    title: str
    variant: Variant
    killed: str
    """The service that is killed under load."""

    check: Callable[[Compose], str]
    """Look whether it is as the title says. Raises Broken."""


def perform(docker: Docker, folder: Path, screen: Screen) -> None:
    """Try each way. Raises Broken at the first thing that does not hold."""
    for trial in TRIALS:
        place = folder / trial.killed
        place.mkdir()
        try_out(Run(docker, Compose(docker, place, trial.variant), screen), trial)


def try_out(run: Run, trial: Trial) -> None:
    """Start the system, tell the story, and kill the one service under load."""
    run.compose.prepare()
    with run.running():
        run.step(f"{trial.title}: all are healthy", run.start)
        with run.people() as (author, reader):
            run.step("The story is told", lambda: story.tell(run.compose, author, reader))
            run.step(f"It is {trial.title}", lambda: trial.check(run.compose))
            run.step(
                "It has few rights, and no password is shown",
                lambda: isolation.check_one(run.compose, trial.killed),
            )
            with Traffic(author) as traffic:
                killing = partial(run.kill, trial.killed, traffic)
                run.step(f"kill -9 {trial.killed}, under load", killing)
            run.step("Nothing lost or doubled", lambda: run.judge(traffic))
        run.show_memory()
        run.step("All stop by SIGTERM", lambda: figures.stop(run.compose))


POOLED = """
SELECT string_agg(DISTINCT host(client_addr), ' '), count(*) FROM pg_stat_activity
WHERE usename = 'aftercommit' AND client_addr IS NOT NULL
"""


def check_pooled(compose: Compose) -> str:
    """Return how many connections the database has. Raises Broken if one is not PgBouncer's."""
    psql = ("psql", "--username", "aftercommit", "--no-align", "--tuples-only", "--command", POOLED)
    found = compose.docker("exec", compose.container("postgres"), *psql)
    addresses, _, number = found.partition("|")
    ours = compose.address("pgbouncer")
    if addresses != ours:
        raise Broken(f"PgBouncer is at {ours}, and the database has connections of {addresses}.")
    return f"{number} connections of the database"


PGBOUNCER = Trial(
    "behind PgBouncer",
    Variant(profiles=("pgbouncer",), variables={"DATABASE_POOLER": "pgbouncer:5432"}),
    "pgbouncer",
    check_pooled,
)


def check_instead(compose: Compose) -> str:
    """Return the site's queues. Raises Broken if Redis is there, or Flower sees no worker."""
    if "redis" in compose.states():
        raise Broken("There is a Redis beside RabbitMQ.")
    story.check_flower(compose)
    command = ("rabbitmqctl", "--quiet", "list_queues", "name", "type", "--no-table-headers")
    rows = compose.docker("exec", compose.container("rabbitmq"), *command).splitlines()
    kinds = dict(row.split("\t") for row in rows)
    if kinds.get("celery") != "quorum":
        raise Broken(f"The queue celery is no quorum queue: {kinds}.")
    return f"{len(kinds)} queues"


RABBITMQ = Trial(
    "with RabbitMQ instead of Redis",
    Variant(files=("docker-compose.yml", "docker-compose.rabbitmq.yml")),
    "rabbitmq",
    check_instead,
)

TRIALS = (PGBOUNCER, RABBITMQ)
