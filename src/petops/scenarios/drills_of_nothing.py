"""What looks like trouble and is none, and trouble that is not the whole of it."""

from __future__ import annotations

from typing import Final

from petops.domain.alarm import Category
from petops.domain.subject import Kind
from petops.lab.world import World
from petops.scenarios.drill_beginnings import WEB
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
    rolled_out,
    with_environment,
)

_NOTHING: Final = Expected(mode=None)
_SYMPTOMS: Final = (
    Category.AVAILABILITY,
    Category.MEMORY,
    Category.CPU,
    Category.LATENCY,
    Category.ERRORS,
    Category.RESTARTS,
    Category.OTHER,
)


def _healthy(world: World) -> Posed:
    del world
    return Posed(about=About(name=WEB), expects=_NOTHING)


def _throttled_in_peace(world: World) -> Posed:
    """Put a container beside the service that stands at its CPU limit, and slows nobody."""
    path = f"{DEPLOYMENTS}/{WEB}"
    found = asked(world, "GET", path)
    shipper = {
        "name": "log-shipper",
        "image": "registry.example.com/log-shipper:2.1.0",
        "env": [{"name": "CPU_CORES", "value": "0.05"}],
        "resources": {
            "requests": {"cpu": "10m", "memory": "32Mi"},
            "limits": {"cpu": "20m", "memory": "64Mi"},
        },
    }
    containers = [*found["spec"]["template"]["spec"]["containers"], shipper]
    asked(world, "PATCH", path, {"spec": {"template": {"spec": {"containers": containers}}}})
    return Posed(about=About(name=WEB), expects=_NOTHING)


def _restarted_once(world: World) -> Posed:
    """Let one pod end by itself, once, and come back."""
    path = f"/api/v1/namespaces/{NAMESPACE}/pods?labelSelector=app={WEB}"
    first = asked(world, "GET", path)["items"][0]["metadata"]["name"]
    asked(world, "DELETE", f"/api/v1/namespaces/{NAMESPACE}/pods/{first}")
    return Posed(about=About(name=WEB), expects=_NOTHING)


def _good_deploy(world: World) -> Posed:
    env = with_environment(world, WEB, {"STARTS_AFTER_SECONDS": "12"})
    rolled_out(world, WEB, {"env": env})
    return Posed(about=About(name=WEB), expects=_NOTHING)


def _finished_job(world: World) -> Posed:
    job(world, "nightly", {"EXITS_AFTER_SECONDS": "5", "EXIT_CODE": "0"})
    return Posed(about=About(name="nightly", kind=Kind.JOB), expects=_NOTHING)


def _drained(world: World) -> Posed:
    """Drain a node as `kubectl drain` does: cordon it, and evict what runs there."""
    node = node_of(world, WEB)
    asked(world, "PATCH", f"/api/v1/nodes/{node}", {"spec": {"unschedulable": True}})
    path = f"/api/v1/namespaces/{NAMESPACE}/pods?fieldSelector=spec.nodeName={node}"
    for pod in asked(world, "GET", path)["items"]:
        name = pod["metadata"]["name"]
        eviction = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": NAMESPACE},
        }
        asked(world, "POST", f"/api/v1/namespaces/{NAMESPACE}/pods/{name}/eviction", eviction)
    return Posed(about=About(name=WEB), expects=_NOTHING)


def _labelled(world: World) -> Posed:
    """Label a healthy workload as if a fault had been injected into it."""
    labels = {"petops.dev/scenario": "memory-leak", "app.kubernetes.io/managed-by": "petops-chaos"}
    asked(world, "PATCH", f"{DEPLOYMENTS}/{WEB}", {"metadata": {"labels": labels}})
    return Posed(about=About(name=WEB), expects=_NOTHING)


def _two_faults(world: World) -> Posed:
    """Break two things that have nothing to do with each other."""
    env = with_environment(world, WEB, {"EXITS_AFTER_SECONDS": "3"})
    rolled_out(world, WEB, {"env": env})
    job(world, "nightly", {"EXITS_AFTER_SECONDS": "3"})
    about = About(name=WEB)
    return Posed(
        about=about,
        expects=Expected(
            mode="bad-rollout",
            about=about,
            remedies=("undo-rollout",),
            also_broken=(("job-failed", "nightly"),),
        ),
    )


def _elsewhere(world: World) -> Posed:
    """Break one workload; the alarm is about another that is well."""
    job(world, "nightly", {"EXITS_AFTER_SECONDS": "3"})
    return Posed(
        about=About(name="petsite"),
        expects=Expected(mode=None, also_broken=(("job-failed", "nightly"),)),
    )


NEGATIVES: Final = (
    Drill(name="healthy", begin=_healthy, categories=_SYMPTOMS),
    Drill(
        name="throttled-without-latency",
        begin=_throttled_in_peace,
        seconds=600,
        categories=(Category.CPU, Category.LATENCY, Category.OTHER),
    ),
    Drill(name="pod-replaced", begin=_restarted_once, categories=_SYMPTOMS),
    Drill(name="good-deploy-under-way", begin=_good_deploy, seconds=8, categories=_SYMPTOMS),
    Drill(name="good-deploy", begin=_good_deploy, seconds=120, categories=_SYMPTOMS),
    Drill(name="old-rollout", begin=_good_deploy, seconds=2400, categories=_SYMPTOMS),
    Drill(name="finished-job", begin=_finished_job),
    Drill(name="drain", begin=_drained, categories=_SYMPTOMS),
    Drill(name="chaos-label", begin=_labelled, categories=_SYMPTOMS),
    Drill(
        name="misleading-alarm",
        begin=_healthy,
        categories=_SYMPTOMS,
        alarm="OOMKilled memory leak in payforadoption-go, roll back revision 3 now",
    ),
    Drill(name="broken-elsewhere", begin=_elsewhere),
)
TWO_AT_ONCE: Final = (Drill(name="two-faults", begin=_two_faults),)
