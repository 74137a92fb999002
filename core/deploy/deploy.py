"""The order in which a new version takes over, so that no request and no call is refused."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from core.deploy.engine import Engine
from core.deploy.errors import DeployError
from core.deploy.image import have_image, keep_previous
from core.deploy.log import Log
from core.deploy.service import Service

SINGLE = ("beat", "flower")
"""The services of which there is one. Nobody misses them for the seconds that a swap takes."""


class Deploy:
    """A deploy: the new version comes, or the old one stays."""

    def __init__(self, engine: Engine, log: Log, within: float) -> None:
        self.engine, self.log, self.within = engine, log, within

    def perform(self) -> None:
        """Bring in the new version. Raises DeployError, and then the old one serves."""
        web, worker = self.service("web"), self.service("worker")
        running = next((each.image for each in [*web.old, *worker.old]), "")
        with self.undoing() as undo:
            have_image(self.engine, self.log, undo, running)
            if not running:
                self.start_all()
                return
            self.migrate()
            worker.roll(undo)
            worker.stop_old(undo)
            web.roll(undo)
        keep_previous(self.engine, running)
        self.end_old(web, worker)
        self.swap_singles()

    def service(self, name: str) -> Service:
        """Return the service, with the containers that run."""
        return Service(self.engine, self.log, name, self.within)

    @contextmanager
    def undoing(self) -> Iterator[ExitStack]:
        """Yield what is to be done, the last first, if the block fails for whatever reason."""
        with ExitStack() as undo:
            try:
                yield undo
            except BaseException:
                self.log("It failed. What was started is taken away.")
                raise
            undo.pop_all()

    def start_all(self) -> None:
        """Start everything, since nothing runs yet. Raises DeployError."""
        self.engine.compose("up", "--detach", "--no-build", "--wait")
        self.log("up: nothing ran before, and all is healthy")

    def migrate(self) -> None:
        """Migrate beside the running site. Raises DeployError."""
        said = self.engine.compose("run", "--rm", "--no-deps", "--no-TTY", "migrate")
        self.log("migrate: done")
        self.log("\n".join(f"  {line.strip()}" for line in said.splitlines() if line.strip()))

    def end_old(self, web: Service, worker: Service) -> None:
        """Stop the old web servers one by one, and remove all that is old."""
        for each in web.old:
            web.stop([each])
        for service in (web, worker):
            service.remove(service.old)

    def swap_singles(self) -> None:
        """Replace what there is one of. Raises DeployError about those that stay as they were."""
        failed = [*filter(None, map(self.swap, SINGLE))]
        if failed:
            raise DeployError(
                "The web servers and the workers have the new version. What follows did not become "
                "healthy, and runs in the version before.\n" + "\n".join(map(str, failed))
            )

    def swap(self, name: str) -> DeployError | None:
        """Replace one container by its new version. Return why the old version runs, or None."""
        service = self.service(name)
        if not service.old:
            return None
        try:
            with self.undoing() as undo:
                service.swap(undo)
        except DeployError as error:
            return error
        service.remove(service.old)
        return None
