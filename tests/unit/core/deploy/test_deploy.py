"""The order of a deploy, what it leaves behind, and what it refuses."""

import re
from collections.abc import Callable
from contextlib import suppress

import pytest

from core.deploy.__main__ import LOCKED, alone, parser
from core.deploy.deploy import Deploy
from core.deploy.engine import Engine
from core.deploy.errors import DeployError
from core.deploy.image import previous
from core.deploy.log import Log
from tests.unit.core.deploy.fake import NEW, OLD, FakeEngine

Make = Callable[..., FakeEngine]


def fake(**options: object) -> FakeEngine:
    """Return an engine on which the site runs: two web servers, three workers."""
    engine = FakeEngine(**options)  # type: ignore[arg-type]
    for service, number in {"web": 2, "worker": 3, "beat": 1, "flower": 1}.items():
        engine.add(service, number)
    return engine


def deploy(engine: FakeEngine) -> None:
    """Deploy there."""
    Deploy(Engine(["compose"], engine), Log(), within=0).perform()


def steps(engine: FakeEngine) -> list[str]:
    """Return what was changed, in order: the commands without their options."""
    options, program = r" --(pull never|filter=\S+|[\w-]+)", "^(docker|compose) "
    changes = (re.sub(f"{options}|{program}", "", each) for each in engine.commands)
    quiet = ("config", "ps", "inspect", "image", "sh", "rm")
    return [each for each in changes if each.split()[0] not in quiet]


def test_order() -> None:
    """Migrations, workers, web servers one by one, and then what there is one of."""
    engine = fake()
    deploy(engine)
    assert steps(engine) == [
        "build web",
        "run migrate",
        "up worker=6 worker",
        "start site-worker-8 site-worker-9 site-worker-10",
        "stop site-worker-3 site-worker-4 site-worker-5",
        "up web=4 web",
        "start site-web-11 site-web-12",
        "tag sha256:old aftercommit:previous",
        "stop site-web-1",
        "stop site-web-2",
        "up beat=2 beat",
        "stop site-beat-6",
        "start site-beat-13",
        "up flower=2 flower",
        "stop site-flower-7",
        "start site-flower-14",
    ]


def test_what_it_leaves() -> None:
    """As many of each as there were, all of the new version. The image before has a name."""
    engine = fake()
    deploy(engine)
    found = {name: engine.running(name) for name in ("web", "worker", "beat", "flower")}
    assert found == {"web": [NEW] * 2, "worker": [NEW] * 3, "beat": [NEW], "flower": [NEW]}
    assert len(engine.containers) == 7
    assert engine.images["aftercommit:previous"] == OLD


def test_going_back() -> None:
    """The image before is the one that runs then. Its name stays with it."""
    engine = fake(image="aftercommit:previous")
    engine.images["aftercommit:previous"] = NEW  # another than the one that runs
    deploy(engine)
    assert engine.running("web") == [NEW] * 2
    assert engine.images["aftercommit:previous"] == NEW


@pytest.mark.parametrize("broken", [(), ("web",)])
def test_the_way_back_stays(broken: tuple[str, ...]) -> None:
    """A deploy that changes nothing, or fails, leaves the image before under its name."""
    engine = fake(broken=broken)
    engine.images["aftercommit:previous"] = "sha256:older"
    if not broken:
        engine.do_build = lambda *words: None  # type: ignore[method-assign]
    with suppress(DeployError):
        deploy(engine)
    assert engine.running("web") == [OLD] * 2
    assert engine.images["aftercommit:previous"] == "sha256:older"


@pytest.mark.parametrize("broken", ["worker", "web"])
def test_a_version_that_does_not_start(broken: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The old one goes on, and nothing is left of the new one, its name for the image included."""
    engine = fake(broken=[broken])
    with pytest.raises(DeployError, match=rf"site-{broken}-\d+ ends again and again.*last line"):
        deploy(engine)
    assert (engine.running("web"), engine.running("worker")) == ([OLD] * 2, [OLD] * 3)
    assert len(engine.containers) == 7
    assert engine.images["aftercommit"] == OLD
    assert "It failed. What was started is taken away." in capsys.readouterr().out


def test_old_workers_come_back_before_new_ones_go() -> None:
    """Calls are worked off throughout."""
    engine = fake(broken=["web"])
    with pytest.raises(DeployError):
        deploy(engine)
    back, gone = (
        engine.commands.index(f"docker {what}")
        for what in (
            "start site-worker-3 site-worker-4 site-worker-5",
            "stop site-worker-8 site-worker-9 site-worker-10",
        )
    )
    assert back < gone


@pytest.mark.parametrize("single", ["beat", "flower"])
def test_a_single_one_that_does_not_start(single: str) -> None:
    """The rest has the new version, and this one the version before. There are never two."""
    engine = fake(broken=[single])
    with pytest.raises(DeployError, match=rf"runs in the version before\.\nsite-{single}-"):
        deploy(engine)
    assert engine.running("web") == [NEW] * 2
    assert engine.running(single) == [OLD]
    assert len(engine.containers) == 7


@pytest.mark.parametrize("refused", ["build", "run --rm", "worker=6", "web=4"])
def test_a_command_that_fails(refused: str) -> None:
    """Whatever it is, the old version goes on."""
    engine = fake()
    engine.refused = refused
    with pytest.raises(DeployError, match=f"{refused} was refused"):
        deploy(engine)
    assert (engine.running("web"), engine.running("worker")) == ([OLD] * 2, [OLD] * 3)
    assert len(engine.containers) == 7


def test_interrupted() -> None:
    """Ctrl-C takes away what was started, as every other failure does."""
    engine = fake()

    def interrupt(*words: str) -> None:
        raise KeyboardInterrupt

    engine.do_stop = interrupt  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        deploy(engine)
    assert engine.images["aftercommit"] == OLD


def test_the_first() -> None:
    """Nothing runs, so that nothing is rolled."""
    engine = FakeEngine()
    engine.images.clear()
    deploy(engine)
    assert steps(engine) == ["build web", "up"]
    assert engine.running("web") == [NEW]


def test_after_a_deploy_that_was_killed() -> None:
    """New ones beside the old do not count twice, and those that never ran are removed."""
    engine = fake()
    engine.add("worker", 3, NEW)
    engine.add("web", 2, NEW, running=False)
    deploy(engine)
    assert (engine.running("web"), engine.running("worker")) == ([NEW] * 2, [NEW] * 3)
    assert len(engine.containers) == 7


def test_an_image_of_another_name() -> None:
    """It is not built, and fetched unless it never is. A failure leaves its name alone."""
    engine = fake(image="registry.example:5000/site:2", policy="missing")
    del engine.images["registry.example:5000/site:2"]
    deploy(engine)
    assert "pull web" in steps(engine)
    assert "build web" not in steps(engine)
    assert engine.running("web") == [NEW] * 2


def test_no_image() -> None:
    """Nothing is touched."""
    engine = fake(image="site:2")
    engine.images.clear()
    with pytest.raises(DeployError, match=r"^There is no image site:2 here\. Build it, or set"):
        deploy(engine)
    assert engine.running("web") == [OLD] * 2


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("aftercommit", "aftercommit:previous"),
        ("site:2", "site:previous"),
        ("registry.example:5000/site", "registry.example:5000/site:previous"),
        ("registry.example:5000/site:2", "registry.example:5000/site:previous"),
        ("site:2@sha256:0a", "site:previous"),
    ],
)
def test_previous(name: str, expected: str) -> None:
    """The name is that of the image, with another tag."""
    assert previous(name) == expected


def test_two_at_once() -> None:
    """The second is refused, and the next is not."""
    with alone(), pytest.raises(DeployError, match="Another deploy"), alone():
        pass
    with alone():
        assert LOCKED.exists()


def test_seconds() -> None:
    """A container has three minutes to become healthy, unless somebody says otherwise."""
    assert parser().parse_args([]).within == 180
    assert parser().parse_args(["--within", "20"]).within == 20
