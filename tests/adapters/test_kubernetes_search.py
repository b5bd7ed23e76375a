"""Which Services are behind a load balancer, and which workloads lack pods."""

from __future__ import annotations

from typing import Any

import pytest

from petops.domain.subject import Kind, Subject
from petops.domain.whereabouts import Balancer, balancer_of, namespace_of
from petops.errors import ForbiddenError
from petops.sources.kubernetes import KubernetesCluster
from tests.adapters.fake_kubernetes_api import CLUSTER, FakeApi, status
from tests.kubernetes_objects import deployment, world

INGRESSES = "/apis/networking.k8s.io/v1/ingresses"
SERVICES = "/api/v1/services"
NAME = "k8s-shop-checkout-0f3a91c2d4"
Json = Any


def meta(name: str, namespace: str = "shop") -> Json:
    return {"name": name, "namespace": namespace, "uid": name}


def service(name: str, namespace: str = "shop", host: str = "") -> Json:
    given = {"loadBalancer": {"ingress": [{"hostname": host}]}} if host else {}
    return {"metadata": meta(name, namespace), "spec": {"selector": {"app": name}}, "status": given}


def ingress(host: str, *backends: str, default: str = "") -> Json:
    paths = [{"path": "/", "backend": {"service": {"name": one}}} for one in backends]
    spec: Json = {"rules": [{"host": "shop.example.com"}, {"http": {"paths": paths}}]}
    if default:
        spec["defaultBackend"] = {"service": {"name": default}}
    given = {"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}, {"hostname": host}]}}
    return {"metadata": meta("web"), "spec": spec, "status": given}


def api(services: list[Json], ingresses: list[Json]) -> FakeApi:
    return world(services=services, ingresses=ingresses)


async def behind(calls: FakeApi, **balancer: str) -> list[str]:
    told = await KubernetesCluster(calls, CLUSTER).behind(Balancer(**balancer))
    assert {one.source for one in told.asked} == {"kubernetes"}
    assert all(one.kind is Kind.SERVICE for one in told.value)
    return [f"{one.namespace}/{one.name}" for one in told.value]


SHOP = [service("checkout"), service("search"), service("checkout", "other")]


@pytest.mark.parametrize(
    "host",
    [
        f"{NAME}-1234567890.us-east-1.elb.amazonaws.com",
        f"internal-{NAME}-1234567890.us-east-1.elb.amazonaws.com",
        f"dualstack.{NAME}-1234567890.us-east-1.elb.amazonaws.com",
        f"{NAME.upper()}-1234567890.us-east-1.elb.amazonaws.com",
    ],
)
async def test_an_ingress_tells_by_the_host_name_that_it_was_given(host: str) -> None:
    assert await behind(api(SHOP, [ingress(host, "checkout")]), name=NAME) == ["shop/checkout"]


async def test_a_service_of_type_load_balancer_tells_by_itself() -> None:
    calls = api([*SHOP, service("api", host="a1b2c3-9.elb.eu-west-1.amazonaws.com")], [])
    assert await behind(calls, name="a1b2c3") == ["shop/api"]
    assert await behind(calls, name="a1b2") == []


async def test_of_several_backends_the_target_group_tells_which() -> None:
    host = f"{NAME}-1.us-east-1.elb.amazonaws.com"
    calls = api(SHOP, [ingress(host, "search", "gone", "search", default="checkout")])
    assert await behind(calls, name=NAME) == ["shop/checkout", "shop/search"]
    targets = "k8s-shop-search-aabbccddee"
    assert await behind(calls, name=NAME, targets=targets) == ["shop/search"]


async def test_a_target_group_of_the_controller_tells_alone() -> None:
    long = service("petadoptions-history", "pet-shop-production")
    calls = api([*SHOP, long], [])
    targets = "k8s-petshopp-petadopt-aabbccddee"
    assert await behind(calls, targets=targets) == ["pet-shop-production/petadoptions-history"]
    assert await behind(calls, name="by-hand", targets="checkout-tg") == []
    assert await behind(calls, name="by-hand") == []


async def test_ingresses_that_may_not_be_read_leave_what_names_tell() -> None:
    calls = api(SHOP, [])
    calls.answers["GET", INGRESSES] = status(403, "ingresses is forbidden")
    assert await behind(calls, name=NAME, targets=NAME) == ["shop/checkout"]
    calls.answers["GET", SERVICES] = status(403, "services is forbidden")
    with pytest.raises(ForbiddenError):
        await behind(calls, name=NAME)


async def test_ingresses_in_odd_shapes_are_no_bug() -> None:
    odd: list[Json] = [
        {"metadata": meta("a")},
        {"metadata": meta("b"), "spec": None, "status": None},
        {"metadata": meta("c"), "spec": {"rules": None}, "status": {"loadBalancer": None}},
        {"metadata": meta("d"), "spec": {"rules": [{"http": None}, {}]}, "status": {}},
        {
            "metadata": meta("e"),
            "status": {"loadBalancer": {"ingress": [None, {"hostname": None}]}},
        },
    ]
    assert await behind(api(SHOP, odd), name=NAME) == []


def stand(pods: int) -> dict[str, int]:
    counts = ("updatedReplicas", "readyReplicas", "availableReplicas")
    return dict.fromkeys(counts, pods)


async def test_workloads_that_lack_pods_are_listed_and_others_are_not() -> None:
    calls = world(
        deployments=[
            deployment("well", replicas=2, **stand(2)),
            deployment("short", replicas=3, **stand(3) | {"availableReplicas": 1}),
            deployment("quota", replicas=3, **stand(1)),
        ]
    )
    told = await KubernetesCluster(calls, CLUSTER).short_of_pods("shop")
    assert [(one.subject.name, one.ready_replicas, one.desired_replicas) for one in told.value] == [
        ("short", 3, 3),
        ("quota", 1, 3),
    ]
    assert isinstance(told.value[0].subject, Subject)


def test_what_dimensions_and_labels_name() -> None:
    path = "app/k8s-shop-web-0123456789/50dc6c495c0c9188"
    targets = "targetgroup/k8s-shop-web-aabbccddee/73e2d6bc24d8a067"
    assert balancer_of({"LoadBalancer": path, "TargetGroup": targets}) == Balancer(
        name="k8s-shop-web-0123456789", targets="k8s-shop-web-aabbccddee"
    )
    assert balancer_of({"LoadBalancerName": "a1b2c3"}) == Balancer(name="a1b2c3")
    assert balancer_of({"ClusterName": "shop"}) is None
    assert namespace_of({"ClusterName": "shop", "Namespace": "pay"}) == "pay"
    exporter = {"namespace": "monitoring", "container": "kube-state-metrics"}
    assert namespace_of(exporter) == ""
    assert namespace_of(exporter | {"exported_namespace": "pay"}) == "pay"
