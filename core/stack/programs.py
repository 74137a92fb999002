"""The programs of the system: how each is started, what it needs, and when it answers."""

import sys

from core.serving.limits import STOPS_WITHIN
from core.stack.config import ROOT, RunConfig
from core.stack.environments import bare_environment, flower_environment
from core.stack.ports import LOOPBACK
from core.stack.probes import http_answers, node_answers, smtp_answers
from core.stack.process import Program
from core.stack.redis_server import redis_answers, redis_command
from core.stack.redis_users import user_lines

STOP_ORDER = ("web", "beat", "worker", "flower", "demo", "migrate", "mail", "redis")
"""The order of stopping: first what asks for work, last what the work needs."""
PYTHON = (sys.executable, "-m")
CELERY = (*PYTHON, "celery", "--quiet", "-A", "celery_app")
FLOWER = (
    *(*PYTHON, "celery", "--quiet", "-A", "core.flower.app"),
    *("flower", "--conf=core/flower/config.py"),
)
MANAGE = (sys.executable, str(ROOT / "manage.py"))


def programs(config: RunConfig) -> list[Program]:
    """Return the programs of this run."""
    servers = [] if config.redis_url else [redis(config)]
    servers += [] if config.email_host else [mail(config)]
    steps = [migrate(tuple(server.name for server in servers))]
    steps += [demo()] if config.demo_data else []
    prepared = (steps[-1].name,)
    serving = [worker(config, prepared), beat(config, prepared), flower(config)]
    return [*servers, *steps, *serving, web(config, prepared)]


def redis(config: RunConfig) -> Program:
    """Return the embedded Redis-compatible server."""
    users = user_lines(config.redis_password, config.flower_redis_password)
    return Program(
        name="redis",
        command=redis_command(config.redis_port, config.var_dir, users),
        environment=bare_environment(config),
        answers=lambda: redis_answers(config.broker_url),
    )


def mail(config: RunConfig) -> Program:
    """Return the mail catcher."""
    where = ["--port", str(config.email_port), "--directory", str(config.mail_directory)]
    return Program(
        name="mail",
        command=[*PYTHON, "core.stack.mail_catcher", *where],
        environment=bare_environment(config),
        answers=lambda: smtp_answers(config.email_port),
    )


def migrate(needs: tuple[str, ...]) -> Program:
    """Return the step that brings the database up to date."""
    command = [*MANAGE, "migrate", "--no-input", "--verbosity", "0"]
    return Program(name="migrate", command=command, needs=needs, once=True)


def demo() -> Program:
    """Return the step that adds the demo data, unless it is there."""
    return Program(name="demo", command=[*MANAGE, "demo_data"], needs=("migrate",), once=True)


def worker(config: RunConfig, needs: tuple[str, ...]) -> Program:
    """Return the Celery worker. A task that runs when the worker is stopped is finished."""
    options = ["--loglevel", "INFO", "--concurrency", str(config.concurrency)]
    return Program(
        name="worker",
        command=[*celery("worker", config.worker_name), *options, "--without-mingle"],
        needs=needs,
        answers=lambda: node_answers(config.broker_url, config.worker_name),
        stops_within=config.stop_timeout,
        stop_note=f"running tasks finish first, for at most {config.stop_timeout:g} s "
        "(Ctrl-C again ends them at once)",
    )


def beat(config: RunConfig, needs: tuple[str, ...]) -> Program:
    """Return beat, Celery's clock."""
    schedule = config.var_dir / "celerybeat-schedule"
    command = celery("beat", config.beat_name)
    return Program(
        name="beat",
        command=[*command, "--schedule", str(schedule), "--enable-remote-control"],
        needs=needs,
        answers=lambda: node_answers(config.broker_url, config.beat_name),
    )


def flower(config: RunConfig) -> Program:
    """Return Flower, which starts after the worker: it wouldn't list the worker otherwise."""
    return Program(
        name="flower",
        command=[*FLOWER, f"--address={LOOPBACK}", f"--port={config.flower_port}"],
        environment=flower_environment(config),
        needs=("worker",),
        answers=lambda: http_answers(f"{config.flower_url}/healthcheck"),
    )


def web(config: RunConfig, needs: tuple[str, ...]) -> Program:
    """Return the web server."""
    where = ["--host", config.web_host, "--port", str(config.web_port)]
    return Program(
        name="web",
        command=[*PYTHON, "core.serving", *where],
        needs=needs,
        answers=lambda: http_answers(f"{config.site_url}/healthz"),
        stops_within=STOPS_WITHIN + 10,
        stop_note="running requests finish first",
    )


def celery(command: str, name: str) -> list[str]:
    """Return the command line of one of Celery's own processes."""
    return [*CELERY, command, "--hostname", name]
