"""How drills of faults begin: each function changes a world, and says what is true then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from petops.domain.subject import Kind
from petops.lab.world import World
from petops.scenarios import CATALOGUE
from petops.scenarios.drills import (
    DEPLOYMENTS,
    NAMESPACE,
    About,
    Expected,
    Posed,
    asked,
    job,
    node_of,
    node_with,
    released,
    rolled_out,
    with_environment,
)

WEB: Final = "payforadoption-go"
UNDO: Final = ("undo-rollout",)


def rollout(
    mode: str, *, environment: Mapping[str, str] | None = None, **change: Any
) -> Callable[[World], Posed]:
    """Roll a change of a healthy Deployment out."""

    def begin(world: World) -> Posed:
        env = with_environment(world, WEB, environment) if environment else None
        rolled_out(world, WEB, {**change, **({"env": env} if env else {})})
        about = About(name=WEB)
        return Posed(about=about, expects=Expected(mode=mode, about=about, remedies=UNDO))

    return begin


def new(
    mode: str, name: str, values: Mapping[str, str], remedies: tuple[str, ...], **more: Any
) -> Callable[[World], Posed]:
    """Release something new that does not work."""

    def begin(world: World) -> Posed:
        released(world, name, values, **more)
        about = About(name=name)
        return Posed(about=about, expects=Expected(mode=mode, about=about, remedies=remedies))

    return begin


def applied(name: str, about: About, remedies: tuple[str, ...]) -> Callable[[World], Posed]:
    """Apply a scenario's manifest; the alarm is about the service that it stands behind."""

    def begin(world: World) -> Posed:
        scenario = CATALOGUE[name]
        world.apply(scenario.documents(now=world.now))
        alarmed = About(name=scenario.service, kind=Kind.SERVICE)
        expects = Expected(mode=scenario.diagnosis, about=about, remedies=remedies)
        return Posed(about=alarmed, expects=expects)

    return begin


def behind_frontend(name: str, about: About, remedies: tuple[str, ...]) -> Callable[[World], Posed]:
    """Apply a scenario's manifest; the alarm is about the shop's front, which only waits."""

    def begin(world: World) -> Posed:
        scenario = CATALOGUE[name]
        world.apply(scenario.documents(now=world.now))
        expects = Expected(mode=scenario.diagnosis, about=about, remedies=remedies)
        return Posed(about=About(name="petsite"), expects=expects)

    return begin


def filled_node(world: World) -> Callable[[World], Posed]:
    """Fill a node's memory; the alarm is about the node that the program landed on."""
    scenario = CATALOGUE["node-pressure"]
    world.apply(scenario.documents(now=world.now))
    app = scenario.documents()[0]["spec"]["template"]["metadata"]["labels"]["app"]

    def posed(world: World) -> Posed:
        about = About(name=node_of(world, app), kind=Kind.NODE)
        expects = Expected(mode=scenario.diagnosis, about=about, remedies=("cordon-node",))
        return Posed(about=about, expects=expects)

    return posed


def pinned(world: World) -> Posed:
    """Ask for nodes with a label that none has."""
    spec = {"template": {"spec": {"nodeSelector": {"disk": "ssd"}}}}
    asked(world, "PATCH", f"{DEPLOYMENTS}/{WEB}", {"spec": spec})
    about = About(name=WEB)
    expects = Expected(mode="unschedulable", about=about, remedies=UNDO)
    return Posed(about=about, expects=expects)


def misses(world: World) -> Posed:
    """Let a Service's selector miss its pods."""
    path = f"/api/v1/namespaces/{NAMESPACE}/services/{WEB}"
    asked(world, "PATCH", path, {"spec": {"selector": {"component": "nobody"}}})
    service = About(name=WEB, kind=Kind.SERVICE)
    expects = Expected(mode="no-endpoints", about=service, remedies=("fix-selector",))
    return Posed(about=About(name=WEB), expects=expects)


def failing_job(world: World) -> Posed:
    """Create a Job whose tries all fail."""
    job(world, "nightly", {"EXITS_AFTER_SECONDS": "3"})
    about = About(name="nightly", kind=Kind.JOB)
    return Posed(
        about=about, expects=Expected(mode="job-failed", about=about, remedies=("fix-job",))
    )


def silent_kubelet(world: World) -> Posed:
    """Stop the kubelet under a workload's first pod."""
    node = node_of(world, WEB)
    world.stop_kubelet(node)
    about = About(name=node, kind=Kind.NODE)
    expects = Expected(mode="node-not-ready", about=about, remedies=("cordon-node",))
    return Posed(about=About(name=WEB), expects=expects)


def full_quota(world: World) -> Posed:
    """Let a quota leave no room for the replicas that are wanted."""
    _quota(world, pods=12)
    about = About(name="petlistadoptions-go")
    asked(world, "PATCH", f"{DEPLOYMENTS}/{about.name}", {"spec": {"replicas": 6}})
    expects = Expected(mode="quota-exceeded", about=about, remedies=("raise-quota",))
    return Posed(about=about, expects=expects)


def emptied_service(world: World) -> Posed:
    """Let a quota refuse every new pod, and take a Service's pods away; the alarm is about it."""
    _quota(world, pods=1)
    about = About(name="petlistadoptions-go")
    folder = f"/api/v1/namespaces/{NAMESPACE}/pods"
    for pod in asked(world, "GET", f"{folder}?labelSelector=app={about.name}")["items"]:
        asked(world, "DELETE", f"{folder}/{pod['metadata']['name']}")
    expects = Expected(mode="quota-exceeded", about=about, remedies=("raise-quota",))
    return Posed(about=About(name=about.name, kind=Kind.SERVICE), expects=expects)


def _quota(world: World, *, pods: int) -> None:
    world.apply(
        [
            {
                "apiVersion": "v1",
                "kind": "ResourceQuota",
                "metadata": {"name": "compute", "namespace": NAMESPACE},
                "spec": {"hard": {"pods": str(pods)}},
            }
        ]
    )


def busy(world: World) -> Posed:
    """Let an autoscaler come to its end: two replicas at most for a service that wants more."""
    world.apply(
        [
            {
                "apiVersion": "autoscaling/v2",
                "kind": "HorizontalPodAutoscaler",
                "metadata": {"name": WEB, "namespace": NAMESPACE},
                "spec": {
                    "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": WEB},
                    "minReplicas": 1,
                    "maxReplicas": 2,
                    "metrics": [
                        {
                            "type": "Resource",
                            "resource": {
                                "name": "cpu",
                                "target": {"type": "Utilization", "averageUtilization": 15},
                            },
                        }
                    ],
                },
            }
        ]
    )
    about = About(name=WEB)
    expects = Expected(mode="hpa-maxed", about=about, remedies=("widen-hpa",))
    return Posed(about=about, expects=expects)


def slow_dependency(
    dependency: str, alarmed: str, waits: str, *, slower: float = 1.0, fault_ratio: float = 0.0
) -> Callable[[World], Posed]:
    """Let something outside of the cluster be slow or fail; who waits for it is well itself."""

    def begin(world: World) -> Posed:
        world.impair(dependency, slower=slower, fault_ratio=fault_ratio)
        expects = Expected(
            mode="slow-dependency", about=About(name=waits), remedies=("look-closer",)
        )
        return Posed(about=About(name=alarmed), expects=expects)

    return begin


def full_disk(world: World) -> Callable[[World], Posed]:
    """Let a program write until its node's kubelet has to evict; the alarm is about the node."""
    released(world, "exporter", {"WRITES_MIB_PER_SECOND": "150"}, replicas=1)

    def posed(world: World) -> Posed:
        about = About(name=node_with(world, "DiskPressure"), kind=Kind.NODE)
        expects = Expected(mode="disk-pressure", about=about, remedies=("cordon-node",))
        return Posed(about=about, expects=expects)

    return posed


def starved(world: World) -> Posed:
    """Let a service ask for far less CPU than it uses, beside one that takes all that is left."""
    modest = {"requests": {"cpu": "5m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}}
    about = About(name="petlistadoptions-go")
    env = with_environment(world, about.name, {"CPU_CORES": "0.3"})
    rolled_out(world, about.name, {"resources": modest, "env": env})
    released(
        world,
        "batch-encoder",
        {"CPU_CORES": "8"},
        replicas=3,
        resources={"requests": {"cpu": "600m", "memory": "64Mi"}},
    )
    return Posed(about=about, expects=Expected(mode="node-cpu-starvation"))
