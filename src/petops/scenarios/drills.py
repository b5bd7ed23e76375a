"""Drills: what goes wrong in a simulated cluster, or only looks so, and what petops should say.

A drill changes a world as a person or a bad day would: by manifests, patches, a kubelet that stops.
Nothing tells the engine which one it is; its verdict is compared with `expects` afterwards.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from petops.domain.alarm import Category
from petops.domain.subject import Kind
from petops.errors import PetopsError
from petops.lab.kubernetes_request import ApiRequest
from petops.lab.world import World

NAMESPACE: Final = "default"
DEPLOYMENTS: Final = "/apis/apps/v1/namespaces/default/deployments"
_MERGE: Final = "application/merge-patch+json"
Json = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What the alarm is about."""

    name: str
    kind: Kind = Kind.DEPLOYMENT

    @property
    def namespace(self) -> str:
        return "" if self.kind is Kind.NODE else NAMESPACE


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """The true verdict. `mode` None is that nothing is wrong; then no change may be offered.

    `remedies` are those of which one has to come first; empty compares none.
    """

    mode: str | None
    about: About | None = None
    remedies: tuple[str, ...] = ()
    also_broken: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Posed:
    """A drill that has begun: what the alarm is about, and the true verdict."""

    about: About
    expects: Expected


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """`begin` changes the world; `seconds` later the alarm comes, of one of `categories`.

    What `begin` returns is called then, where the true verdict names what was not there before.
    `later` changes the world once more, `after` so many seconds.
    `alarm` is what the alarm is called, where that is to mislead. With `labels` the alarm names
    these and no object.
    """

    name: str
    begin: Callable[[World], Posed | Callable[[World], Posed]]
    seconds: float = 120.0
    categories: tuple[Category, ...] = (Category.AVAILABILITY,)
    alarm: str = ""
    later: Callable[[World], None] | None = None
    after: float = 0.0
    labels: tuple[tuple[str, str], ...] = ()


def asked(world: World, method: str, path: str, document: Json = None, kind: str = _MERGE) -> Json:
    """Return what the world's API answers; raise PetopsError where it refuses."""
    world.step()
    content = kind if method == "PATCH" else "application/json"
    answer = world.api.answer(ApiRequest.of(method, path, document, content_type=content))
    if answer.status >= 300:
        raise PetopsError(f"{method} {path}: {answer.json().get('message', answer.status)}")
    return answer.json()


def rolled_out(world: World, name: str, change: Mapping[str, Json]) -> None:
    """Change the first container of a Deployment, as a rollout would."""
    path = f"{DEPLOYMENTS}/{name}"
    found = asked(world, "GET", path)
    containers = copy.deepcopy(found["spec"]["template"]["spec"]["containers"])
    containers[0] |= change
    asked(world, "PATCH", path, {"spec": {"template": {"spec": {"containers": containers}}}})


def with_environment(world: World, name: str, values: Mapping[str, str]) -> list[Json]:
    """Return a Deployment's variables with some more."""
    found = asked(world, "GET", f"{DEPLOYMENTS}/{name}")
    kept = found["spec"]["template"]["spec"]["containers"][0].get("env") or []
    new = [{"name": key, "value": value} for key, value in values.items()]
    return [*(one for one in kept if one["name"] not in values), *new]


def released(
    world: World,
    name: str,
    values: Mapping[str, str],
    *,
    replicas: int = 2,
    resources: Mapping[str, Json] | None = None,
    probe: str = "",
) -> None:
    """Create a new Deployment, which has no earlier revision to go back to."""
    labels = {"app": name, "component": "service"}
    container: Json = {
        "name": name,
        "image": f"registry.example.com/{name}:1.0.0",
        "env": [{"name": key, "value": value} for key, value in values.items()],
        "ports": [{"containerPort": 8080}],
        "resources": resources or {"requests": {"cpu": "50m", "memory": "64Mi"}},
    }
    if probe:
        container[probe] = {
            "httpGet": {"path": "/health/status", "port": 8080},
            "periodSeconds": 5,
            "failureThreshold": 3,
        }
    world.apply(
        [
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels},
                "spec": {
                    "replicas": replicas,
                    "selector": {"matchLabels": labels},
                    "template": {
                        "metadata": {"labels": labels},
                        "spec": {"containers": [container]},
                    },
                },
            }
        ]
    )


def node_of(world: World, app: str) -> str:
    """Return the node that a workload's first pod runs on."""
    path = f"/api/v1/namespaces/{NAMESPACE}/pods?labelSelector=app={app}"
    found: Sequence[Json] = asked(world, "GET", path)["items"]
    return str(min(found, key=lambda one: str(one["metadata"]["name"]))["spec"]["nodeName"])


def node_with(world: World, condition: str) -> str:
    """Return a node of which a condition holds; raise PetopsError where there is none."""
    for node in asked(world, "GET", "/api/v1/nodes")["items"]:
        for one in node["status"]["conditions"]:
            if (one["type"], one["status"]) == (condition, "True"):
                return str(node["metadata"]["name"])
    raise PetopsError(f"no node has {condition}")


def job(world: World, name: str, values: Mapping[str, str], *, tries: int = 1) -> None:
    """Create a Job whose program the variables describe."""
    pod = {
        "restartPolicy": "Never",
        "containers": [
            {
                "name": "job",
                "image": "registry.example.com/job:1.0.0",
                "env": [{"name": key, "value": value} for key, value in values.items()],
            }
        ],
    }
    world.apply(
        [
            {
                "apiVersion": "batch/v1",
                "kind": "Job",
                "metadata": {"name": name, "namespace": NAMESPACE},
                "spec": {
                    "backoffLimit": tries,
                    "template": {"metadata": {"labels": {"app": name}}, "spec": pod},
                },
            }
        ]
    )
