"""Pods that never get to run: drills of faults, and of what was over before anybody looked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from petops.domain.alarm import Category
from petops.domain.subject import Kind
from petops.lab.world import World
from petops.scenarios.drill_beginnings import UNDO, WEB
from petops.scenarios.drills import (
    DEPLOYMENTS,
    NAMESPACE,
    About,
    Drill,
    Expected,
    Posed,
    asked,
    with_environment,
)

_SCALED: Final = "petlistadoptions-go"
_LIMITS: Final = f"/api/v1/namespaces/{NAMESPACE}/limitranges"
_SYMPTOMS: Final = (Category.AVAILABILITY, Category.ERRORS, Category.RESTARTS, Category.OTHER)
_NOTHING: Final = Expected(mode=None)


def _mounted(world: World, **more: Any) -> None:
    """Roll out that a workload mounts a ConfigMap that nobody has made."""
    volume = {"name": "config", "configMap": {"name": "web-config"}}
    path = f"{DEPLOYMENTS}/{WEB}"
    containers = asked(world, "GET", path)["spec"]["template"]["spec"]["containers"]
    mount = {"name": "config", "mountPath": "/etc/web"}
    first = containers[0] | {"volumeMounts": [mount]} | more
    spec = {"volumes": [volume], "containers": [first, *containers[1:]]}
    asked(world, "PATCH", path, {"spec": {"template": {"spec": spec}}})


def _forgotten_config(world: World) -> Posed:
    _mounted(world)
    about = About(name=WEB)
    return Posed(about=about, expects=Expected(mode="volume-mount", about=about, remedies=UNDO))


def _config_without_key(world: World) -> Posed:
    """Release something new whose ConfigMap lacks the key that it mounts."""
    _create(world, "configmaps", {"metadata": {"name": "reports"}, "data": {"a.yaml": "a: 1"}})
    items = [{"key": "b.yaml", "path": "b.yaml"}]
    volume = {"name": "config", "configMap": {"name": "reports", "items": items}}
    labels = {"app": "reports"}
    container = {"name": "reports", "image": "registry.example.com/reports:1.0.0"}
    spec = {"containers": [container], "volumes": [volume]}
    template = {"metadata": {"labels": labels}, "spec": spec}
    world.apply(
        [
            {
                "apiVersion": "apps/v1",
                "kind": "StatefulSet",
                "metadata": {"name": "reports", "namespace": NAMESPACE},
                "spec": {
                    "replicas": 2,
                    "serviceName": "reports",
                    "selector": {"matchLabels": labels},
                    "template": template,
                },
            }
        ]
    )
    about = About(name="reports", kind=Kind.STATEFUL_SET)
    expects = Expected(mode="volume-mount", about=about, remedies=("fix-config",))
    return Posed(about=about, expects=expects)


def _late_config(world: World) -> Posed:
    """Roll the same out, where the ConfigMap comes a moment later: pods start slowly, and well."""
    _mounted(world, env=with_environment(world, WEB, {"STARTS_AFTER_SECONDS": "8"}))
    return Posed(about=About(name=WEB), expects=_NOTHING)


def _config_comes(world: World) -> None:
    _create(world, "configmaps", {"metadata": {"name": "web-config"}, "data": {"a": "b"}})


def _no_addresses(world: World) -> Posed:
    """Scale out where no subnet has an address left."""
    _use_up(world)
    asked(world, "PATCH", f"{DEPLOYMENTS}/{_SCALED}", {"spec": {"replicas": 5}})
    return _posed_network(_SCALED)


def _rollout_without_addresses(world: World) -> Posed:
    """Roll out where no subnet has an address left: going back would give nobody one."""
    _use_up(world)
    _restarted(world)
    return _posed_network(WEB)


def _posed_network(name: str) -> Posed:
    about = About(name=name)
    expects = Expected(mode="pod-sandbox", about=about, remedies=("fix-network",))
    return Posed(about=about, expects=expects)


def _short_of_addresses(world: World) -> Posed:
    """Roll out while no subnet has an address for half a minute."""
    _use_up(world)
    _restarted(world)
    return Posed(about=About(name=WEB), expects=_NOTHING)


def _use_up(world: World) -> None:
    for node in asked(world, "GET", "/api/v1/nodes")["items"]:
        world.use_up_addresses(node["metadata"]["name"])


def _addresses_come(world: World) -> None:
    for node in asked(world, "GET", "/api/v1/nodes")["items"]:
        world.free_addresses(node["metadata"]["name"])


def _restarted(world: World) -> None:
    annotations = {"kubectl.kubernetes.io/restartedAt": f"{world.now:%Y-%m-%dT%H:%M:%SZ}"}
    template = {"metadata": {"annotations": annotations}}
    asked(world, "PATCH", f"{DEPLOYMENTS}/{WEB}", {"spec": {"template": template}})


def _no_account(world: World) -> Posed:
    """Roll out a ServiceAccount that nobody has made."""
    spec = {"template": {"spec": {"serviceAccountName": "web-reader"}}}
    asked(world, "PATCH", f"{DEPLOYMENTS}/{WEB}", {"spec": spec})
    about = About(name=WEB)
    return Posed(
        about=about, expects=Expected(mode="admission-refused", about=about, remedies=UNDO)
    )


def _limited(world: World) -> Posed:
    """Bound containers below what a workload asks for, and scale it out."""
    _bound_and_scale(world)
    about = About(name=_SCALED)
    expects = Expected(mode="admission-refused", about=about, remedies=("fix-admission",))
    return Posed(about=about, expects=expects)


def _limited_for_a_while(world: World) -> Posed:
    """Bound them the same way until somebody takes the LimitRange away."""
    _bound_and_scale(world)
    return Posed(about=About(name=_SCALED), expects=_NOTHING)


def _bound_and_scale(world: World) -> None:
    bound = {"type": "Container", "max": {"memory": "16Mi"}}
    _create(world, "limitranges", {"metadata": {"name": "small"}, "spec": {"limits": [bound]}})
    asked(world, "PATCH", f"{DEPLOYMENTS}/{_SCALED}", {"spec": {"replicas": 4}})


def _limits_go(world: World) -> None:
    asked(world, "DELETE", f"{_LIMITS}/small")


def _create(world: World, resource: str, document: Mapping[str, Any]) -> None:
    asked(world, "POST", f"/api/v1/namespaces/{NAMESPACE}/{resource}", dict(document))


STARTS: Final = (
    Drill(name="volume-mount", begin=_forgotten_config),
    Drill(name="volume-mount-of-a-key", begin=_config_without_key),
    Drill(name="pod-sandbox", begin=_no_addresses),
    Drill(name="pod-sandbox-of-a-rollout", begin=_rollout_without_addresses),
    Drill(name="admission-refused", begin=_no_account),
    Drill(name="admission-refused-by-limits", begin=_limited),
)
STARTS_OVER: Final = (
    Drill(
        name="late-config",
        begin=_late_config,
        seconds=120,
        categories=_SYMPTOMS,
        later=_config_comes,
        after=5,
    ),
    Drill(
        name="late-config-under-way",
        begin=_late_config,
        seconds=14,
        categories=_SYMPTOMS,
        later=_config_comes,
        after=5,
    ),
    Drill(
        name="addresses-again",
        begin=_short_of_addresses,
        seconds=120,
        categories=_SYMPTOMS,
        later=_addresses_come,
        after=30,
    ),
    Drill(
        name="refusal-over",
        begin=_limited_for_a_while,
        seconds=150,
        categories=_SYMPTOMS,
        later=_limits_go,
        after=60,
    ),
)
