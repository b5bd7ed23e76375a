"""Alarms that name no object: a namespace, a load balancer, a cluster's count of failed nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from petops.domain.alarm import Category
from petops.lab.world import CLUSTER, World
from petops.scenarios.drill_beginnings import (
    WEB,
    behind_frontend,
    full_quota,
    rollout,
    silent_kubelet,
)
from petops.scenarios.drills import NAMESPACE, About, Drill, Expected, Posed, asked

_FRONT: Final = "petsite"
_BALANCER: Final = "k8s-default-petsite-0f3a91c2d4"
_HOST: Final = f"{_BALANCER}-1234567890.us-east-1.elb.amazonaws.com"
_IN_CLUSTER: Final = (("ClusterName", CLUSTER.name),)
_IN_NAMESPACE: Final = (*_IN_CLUSTER, ("Namespace", NAMESPACE))
_AT_BALANCER: Final = (
    ("LoadBalancer", f"app/{_BALANCER}/50dc6c495c0c9188"),
    ("TargetGroup", f"targetgroup/{_BALANCER}/73e2d6bc24d8a067"),
)
_ON_REQUESTS: Final = (Category.LATENCY, Category.ERRORS)


def _exposed(begin: Callable[[World], Posed]) -> Callable[[World], Posed]:
    """Put a load balancer in front of the shop, as its controller writes it down."""

    def begun(world: World) -> Posed:
        backend = {"service": {"name": _FRONT, "port": {"number": 80}}}
        paths = [{"path": "/", "pathType": "Prefix", "backend": backend}]
        folder = f"/apis/networking.k8s.io/v1/namespaces/{NAMESPACE}/ingresses"
        document = {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": {"name": "shop", "namespace": NAMESPACE},
            "spec": {"ingressClassName": "alb", "rules": [{"http": {"paths": paths}}]},
        }
        asked(world, "POST", folder, document)
        given = {"status": {"loadBalancer": {"ingress": [{"hostname": _HOST}]}}}
        asked(world, "PATCH", f"{folder}/shop/status", given)
        return begin(world)

    return begun


def _healthy(world: World) -> Posed:
    del world
    return Posed(about=About(name=WEB), expects=Expected(mode=None))


UNMAPPED: Final = (
    Drill(
        name="image-pull-in-a-namespace",
        begin=rollout("image-pull", image="registry.example.com/x:9.9.9"),
        labels=_IN_NAMESPACE,
    ),
    Drill(name="quota-exceeded-in-a-namespace", begin=full_quota, labels=_IN_NAMESPACE),
    Drill(
        name="node-not-ready-in-a-cluster",
        begin=silent_kubelet,
        categories=(Category.NODE,),
        labels=_IN_CLUSTER,
    ),
    Drill(
        name="cpu-throttling-behind-a-balancer",
        begin=_exposed(
            behind_frontend(
                "cpu-throttling", About(name="payforadoption-go-burn"), ("raise-cpu-limit",)
            )
        ),
        seconds=600,
        categories=(Category.LATENCY,),
        labels=_AT_BALANCER,
    ),
    Drill(name="healthy-namespace", begin=_healthy, labels=_IN_NAMESPACE),
    Drill(
        name="healthy-behind-a-balancer",
        begin=_exposed(_healthy),
        categories=_ON_REQUESTS,
        labels=_AT_BALANCER,
    ),
    Drill(
        name="healthy-cluster",
        begin=_healthy,
        categories=(Category.NODE, Category.ERRORS),
        labels=_IN_CLUSTER,
    ),
)
