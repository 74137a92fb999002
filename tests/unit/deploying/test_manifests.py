"""The manifests on the page about Kubernetes have the figures of the site's settings."""

from typing import Any

import pytest

from core.serving import limits
from core.serving.__main__ import parser
from tests.deploying import containers, manifests, pods, text_of
from tests.integration.recipes.page import ROOT
from tests.unit.core.stack.test_compose import SECRETS, SERVICES
from tests.unit.deploying.figures import PROGRAMS, STOPS_WITHIN, named_files

PODS = pods()
CONTAINERS = containers()


def test_time_to_stop() -> None:
    """The worker has as long as its calls may take, the web server as long as its requests."""
    assert PODS["worker"]["terminationGracePeriodSeconds"] == STOPS_WITHIN
    (settings,) = [each["data"] for each in manifests() if each["kind"] == "ConfigMap"]
    assert settings["WORKER_STOPS_WITHIN"] == str(STOPS_WITHIN)
    least = web_options().drains_for + limits.STOPS_WITHIN
    assert PODS["web"]["terminationGracePeriodSeconds"] == least + 5
    assert not [name for name, each in CONTAINERS.items() if "lifecycle" in each]


def test_table() -> None:
    """The short form has the figures of the manifests."""
    table = text_of("deploy-kubernetes").partition("## Settings")[0]
    for name in ("web", "worker", "beat"):
        assert f"| {PODS[name]['terminationGracePeriodSeconds']}" in table
    assert f"| {limits.THREADS + 1} for each process |" in table
    assert f"`minReadySeconds: {deployment('worker')['minReadySeconds']}`" in table


def test_probes() -> None:
    """The server helps itself before Kubernetes does. A probe is never ``/readyz``."""
    web = CONTAINERS["web"]
    liveness, readiness = web["livenessProbe"], web["readinessProbe"]
    after = liveness["periodSeconds"] * liveness["failureThreshold"]
    assert after > limits.STUCK
    assert f"`/healthz`, after {after} s" in text_of("deploy-kubernetes")
    noticed = readiness["periodSeconds"] * readiness["failureThreshold"]
    assert noticed + readiness["timeoutSeconds"] < web_options().drains_for
    paths = {name: each["httpGet"]["path"] for name, each in web.items() if "Probe" in name}
    assert paths == {
        "startupProbe": "/healthz", "readinessProbe": "/servez", "livenessProbe": "/healthz"
    }  # fmt: skip
    assert not [name for name in ("worker", "beat") if "livenessProbe" in CONTAINERS[name]]


def test_disk() -> None:
    """What clients send has room on the node's disk, for all processes."""
    (tmp,) = [each for each in PODS["web"]["volumes"] if each["name"] == "tmp"]
    gigabytes = int(tmp["emptyDir"]["sizeLimit"].removesuffix("Gi"))
    assert "medium" not in tmp["emptyDir"]
    assert gigabytes * 1024**3 > web_options().processes * limits.FILES_BYTES


@pytest.mark.parametrize("name", PROGRAMS)
def test_rights(name: str) -> None:
    """A container may do as little as in Compose, as the image's user."""
    own, pod = CONTAINERS[name]["securityContext"], PODS[name]["securityContext"]
    assert own["capabilities"] == {"drop": SERVICES[name]["cap_drop"]}
    assert (own["readOnlyRootFilesystem"], own["allowPrivilegeEscalation"]) == (True, False)
    assert f"USER {pod['runAsUser']}:{pod['runAsGroup']}\n" in (ROOT / "Dockerfile").read_text()
    assert pod["runAsNonRoot"]
    assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not PODS[name]["automountServiceAccountToken"]
    assert PODS[name]["shareProcessNamespace"] == SERVICES[name]["init"]
    assert not PODS[name]["enableServiceLinks"]


@pytest.mark.parametrize("name", PROGRAMS)
def test_memory(name: str) -> None:
    """It is bounded as in Compose."""
    limit = CONTAINERS[name]["resources"]["limits"]["memory"]
    assert limit == SERVICES[name]["mem_limit"].replace("m", "Mi").replace("g", "Gi")


@pytest.mark.parametrize("name", PROGRAMS)
def test_secrets(name: str) -> None:
    """A pod gets those that it gets in Compose, each as a file that a variable names."""
    (volume,) = [each for each in PODS[name]["volumes"] if each["name"] == "secrets"]
    given = {each["key"]: each["path"] for each in volume["secret"]["items"]}
    assert given == {secret: secret for secret in SECRETS[name]}
    files = {each["name"]: each["value"] for each in CONTAINERS[name]["env"]}
    assert {*files.values()} == {f"/run/secrets/site/{secret}" for secret in SECRETS[name]}
    assert files.keys() == named_files(SERVICES[name]["environment"]).keys()


@pytest.mark.parametrize("name", ["migrate", "worker"])
def test_command(name: str) -> None:
    """It is that of Compose."""
    assert CONTAINERS[name]["command"] == [str(each) for each in SERVICES[name]["command"]]


def test_one_beat() -> None:
    """The old one ends before the new one starts."""
    assert deployment("beat")["replicas"] == 1
    assert deployment("beat")["strategy"] == {"type": "Recreate"}


def test_an_update_takes_nothing_away() -> None:
    """New ones are there before old ones go. The one job has ended before."""
    for name in ("web", "worker"):
        assert deployment(name)["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    update = text_of("deploy-kubernetes").partition("## Update")[2]
    steps = [update.index(word) for word in ("job/migrate", "worker.yaml", "web.yaml")]
    assert steps == sorted(steps)


def web_options() -> Any:
    """Return what the web server's command says."""
    words = CONTAINERS["web"]["command"]
    return parser().parse_args(words[words.index("core.serving") + 1 :])


def deployment(name: str) -> dict[str, Any]:
    """Return the specification of the deployment."""
    (found,) = [
        each["spec"]
        for each in manifests()
        if each["kind"] == "Deployment" and each["metadata"]["name"] == name
    ]
    return dict(found)
