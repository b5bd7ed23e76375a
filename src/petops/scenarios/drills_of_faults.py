"""Faults, one drill or more for each failure mode."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from petops.domain.alarm import Category
from petops.domain.subject import Kind
from petops.lab.world import World
from petops.scenarios import CATALOGUE
from petops.scenarios.drills import (
    DEPLOYMENTS,
    NAMESPACE,
    About,
    Drill,
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
_MEMORY: Final = (Category.MEMORY, Category.RESTARTS)


def _rollout(
    mode: str, *, environment: Mapping[str, str] | None = None, **change: Any
) -> Callable[[World], Posed]:
    """Roll a change of a healthy Deployment out."""

    def begin(world: World) -> Posed:
        env = with_environment(world, WEB, environment) if environment else None
        rolled_out(world, WEB, {**change, **({"env": env} if env else {})})
        about = About(name=WEB)
        return Posed(about=about, expects=Expected(mode=mode, about=about, remedies=UNDO))

    return begin


def _new(
    mode: str, name: str, values: Mapping[str, str], remedies: tuple[str, ...], **more: Any
) -> Callable[[World], Posed]:
    """Release something new that does not work."""

    def begin(world: World) -> Posed:
        released(world, name, values, **more)
        about = About(name=name)
        return Posed(about=about, expects=Expected(mode=mode, about=about, remedies=remedies))

    return begin


def _scenario(name: str, about: About, remedies: tuple[str, ...]) -> Callable[[World], Posed]:
    """Apply a scenario's manifest; the alarm is about the service that it stands behind."""

    def begin(world: World) -> Posed:
        scenario = CATALOGUE[name]
        world.apply(scenario.documents(now=world.now))
        alarmed = About(name=scenario.service, kind=Kind.SERVICE)
        expects = Expected(mode=scenario.diagnosis, about=about, remedies=remedies)
        return Posed(about=alarmed, expects=expects)

    return begin


def _behind_frontend(
    name: str, about: About, remedies: tuple[str, ...]
) -> Callable[[World], Posed]:
    """Apply a scenario's manifest; the alarm is about the shop's front, which only waits."""

    def begin(world: World) -> Posed:
        scenario = CATALOGUE[name]
        world.apply(scenario.documents(now=world.now))
        expects = Expected(mode=scenario.diagnosis, about=about, remedies=remedies)
        return Posed(about=About(name="petsite"), expects=expects)

    return begin


def _filled_node(world: World) -> Callable[[World], Posed]:
    """Fill a node's memory; the alarm is about the node that the program landed on."""
    scenario = CATALOGUE["node-pressure"]
    world.apply(scenario.documents(now=world.now))
    app = scenario.documents()[0]["spec"]["template"]["metadata"]["labels"]["app"]

    def posed(world: World) -> Posed:
        about = About(name=node_of(world, app), kind=Kind.NODE)
        expects = Expected(mode=scenario.diagnosis, about=about, remedies=("cordon-node",))
        return Posed(about=about, expects=expects)

    return posed


def _pinned(world: World) -> Posed:
    spec = {"template": {"spec": {"nodeSelector": {"disk": "ssd"}}}}
    asked(world, "PATCH", f"{DEPLOYMENTS}/{WEB}", {"spec": spec})
    about = About(name=WEB)
    expects = Expected(mode="unschedulable", about=about, remedies=UNDO)
    return Posed(about=about, expects=expects)


def _misses(world: World) -> Posed:
    path = f"/api/v1/namespaces/{NAMESPACE}/services/{WEB}"
    asked(world, "PATCH", path, {"spec": {"selector": {"component": "nobody"}}})
    service = About(name=WEB, kind=Kind.SERVICE)
    expects = Expected(mode="no-endpoints", about=service, remedies=("fix-selector",))
    return Posed(about=About(name=WEB), expects=expects)


def _failing_job(world: World) -> Posed:
    job(world, "nightly", {"EXITS_AFTER_SECONDS": "3"})
    about = About(name="nightly", kind=Kind.JOB)
    return Posed(
        about=about, expects=Expected(mode="job-failed", about=about, remedies=("fix-job",))
    )


def _silent_kubelet(world: World) -> Posed:
    node = node_of(world, WEB)
    world.stop_kubelet(node)
    about = About(name=node, kind=Kind.NODE)
    expects = Expected(mode="node-not-ready", about=about, remedies=("cordon-node",))
    return Posed(about=About(name=WEB), expects=expects)


def _full_quota(world: World) -> Posed:
    world.apply(
        [
            {
                "apiVersion": "v1",
                "kind": "ResourceQuota",
                "metadata": {"name": "compute", "namespace": NAMESPACE},
                "spec": {"hard": {"pods": "12"}},
            }
        ]
    )
    about = About(name="petlistadoptions-go")
    asked(world, "PATCH", f"{DEPLOYMENTS}/{about.name}", {"spec": {"replicas": 6}})
    expects = Expected(mode="quota-exceeded", about=about, remedies=("raise-quota",))
    return Posed(about=about, expects=expects)


def _busy(world: World) -> Posed:
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


def _slow_dependency(
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


def _full_disk(world: World) -> Callable[[World], Posed]:
    """Let a program write until its node's kubelet has to evict; the alarm is about the node."""
    released(world, "exporter", {"WRITES_MIB_PER_SECOND": "150"}, replicas=1)

    def posed(world: World) -> Posed:
        about = About(name=node_with(world, "DiskPressure"), kind=Kind.NODE)
        expects = Expected(mode="disk-pressure", about=about, remedies=("cordon-node",))
        return Posed(about=about, expects=expects)

    return posed


def _starved(world: World) -> Posed:
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


FAULTS: Final = (
    Drill(
        name="memory-leak",
        begin=_scenario(
            "memory-leak", About(name="petadoptionshistory-py-leak"), ("restart-workload",)
        ),
        seconds=150,
        categories=_MEMORY,
    ),
    Drill(
        name="memory-leak-of-a-rollout",
        begin=_rollout("memory-leak", environment={"LEAK_MIB_PER_SECOND": "3"}),
        seconds=150,
        categories=(*_MEMORY, Category.AVAILABILITY),
    ),
    Drill(
        name="memory-limit-too-low",
        begin=_new(
            "memory-limit-too-low",
            "reports",
            {"BASELINE_MIB": "125.5"},
            ("raise-memory-limit",),
            resources={
                "requests": {"cpu": "50m", "memory": "64Mi"},
                "limits": {"memory": "128Mi"},
            },
        ),
        seconds=900,
        categories=_MEMORY,
    ),
    Drill(
        name="cpu-throttling",
        begin=_scenario(
            "cpu-throttling", About(name="payforadoption-go-burn"), ("raise-cpu-limit",)
        ),
        seconds=240,
        categories=(Category.LATENCY, Category.CPU),
    ),
    Drill(
        name="slow-dependency",
        begin=_slow_dependency("DynamoDB", WEB, WEB, slower=40.0),
        seconds=600,
        categories=(Category.LATENCY,),
    ),
    Drill(
        name="slow-dependency-fails",
        begin=_slow_dependency("DynamoDB", WEB, WEB, fault_ratio=0.6),
        seconds=600,
        categories=(Category.ERRORS,),
    ),
    Drill(
        name="slow-dependency-behind-a-frontend",
        begin=_slow_dependency("DynamoDB", "petsite", WEB, slower=60.0),
        seconds=600,
        categories=(Category.LATENCY,),
    ),
    Drill(
        name="cpu-throttling-behind-a-frontend",
        begin=_behind_frontend(
            "cpu-throttling", About(name="payforadoption-go-burn"), ("raise-cpu-limit",)
        ),
        seconds=600,
        categories=(Category.LATENCY,),
    ),
    Drill(name="disk-pressure", begin=_full_disk, seconds=420, categories=(Category.NODE,)),
    Drill(
        name="node-cpu-starvation",
        begin=_starved,
        seconds=900,
        categories=(Category.LATENCY, Category.CPU),
    ),
    Drill(
        name="node-memory-pressure",
        begin=_filled_node,
        seconds=90,
        categories=(Category.NODE,),
    ),
    Drill(
        name="bad-rollout-crashes",
        begin=_rollout("bad-rollout", environment={"EXITS_AFTER_SECONDS": "3"}),
    ),
    Drill(
        name="bad-rollout-never-ready",
        begin=_rollout("bad-rollout", environment={"UNREADY_AFTER_SECONDS": "0"}),
    ),
    Drill(
        name="crash-loop",
        begin=_new("crash-loop", "reports", {"EXITS_AFTER_SECONDS": "3"}, ("fix-config",)),
        seconds=180,
    ),
    Drill(
        name="failing-probe",
        begin=_new(
            "failing-probe",
            "reports",
            {"UNREADY_AFTER_SECONDS": "60"},
            ("look-closer",),
            probe="readinessProbe",
        ),
        seconds=300,
    ),
    Drill(
        name="image-pull-denied",
        begin=_rollout("image-pull", image="registry.example.com/private/x:1"),
    ),
    Drill(
        name="image-pull-no-tag", begin=_rollout("image-pull", image="registry.example.com/x:9.9.9")
    ),
    Drill(name="image-pull-no-host", begin=_rollout("image-pull", image="registry.internal/x:1")),
    Drill(
        name="unschedulable-cpu",
        begin=_rollout("unschedulable", resources={"requests": {"cpu": "64"}}),
    ),
    Drill(name="unschedulable-selector", begin=_pinned),
    Drill(name="no-endpoints", begin=_misses, categories=(Category.AVAILABILITY, Category.ERRORS)),
    Drill(name="job-failed", begin=_failing_job),
    Drill(
        name="node-not-ready",
        begin=_silent_kubelet,
        categories=(Category.AVAILABILITY, Category.OTHER),
    ),
    Drill(name="quota-exceeded", begin=_full_quota),
    Drill(name="hpa-maxed", begin=_busy, seconds=300, categories=(Category.CPU, Category.LATENCY)),
)
