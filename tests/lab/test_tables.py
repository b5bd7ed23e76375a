"""What `kubectl get` shows of kinds beside pods, and what the API fills in for them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lab.hand_clock import DEPLOYMENTS, Lab

pytestmark = pytest.mark.slow

TABLE = {"accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
CORE = "/api/v1/namespaces/default"
HPA = "/apis/autoscaling/{}/namespaces/default/horizontalpodautoscalers"


def rows(lab: Lab, url: str) -> dict[str, dict[str, Any]]:
    answer = lab.ask("GET", url, headers=TABLE)
    assert answer.status == 200, answer.json()
    names = [one["name"] for one in answer.json()["columnDefinitions"]]
    shown = [dict(zip(names, one["cells"], strict=True)) for one in answer.json()["rows"]]
    return {one["Name"]: one for one in shown}


def service(name: str, **spec: Any) -> Any:
    return {"metadata": {"name": name}, "spec": {"ports": [{"port": 80}], **spec}}


def test_services_show_how_they_are_reached_from_outside() -> None:
    lab = Lab()
    for made in (
        service("node", type="NodePort"),
        service("balanced", type="LoadBalancer"),
        service("other", type="ExternalName", externalName="example.com"),
    ):
        assert lab.ask("POST", f"{CORE}/services", made).status == 201
    shown = rows(lab, f"{CORE}/services")
    port = lab.get(f"{CORE}/services/node")["spec"]["ports"][0]["nodePort"]
    assert 30_000 <= port < 32_768
    assert shown["node"]["Port(s)"] == f"80:{port}/TCP"
    assert shown["balanced"]["External-IP"] == "<pending>"
    assert shown["other"]["External-IP"] == "example.com"
    assert shown["other"]["Cluster-IP"] == "<none>"
    assert shown["petsite"]["Port(s)"] == "80/TCP"
    found = lab.get(f"{CORE}/services?fieldSelector=spec.type=NodePort")["items"]
    assert [one["metadata"]["name"] for one in found] == ["node"]


def test_the_service_kubernetes_leads_somewhere() -> None:
    lab = Lab()
    lab.pass_seconds(30)
    assert rows(lab, f"{CORE}/endpoints")["kubernetes"]["Endpoints"].count(":443") == 2
    slices = rows(lab, "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices")
    assert slices["kubernetes"]["Ports"] == "443"


def test_wide_columns_say_what_a_workload_runs() -> None:
    found = rows(Lab(), "/apis/apps/v1/namespaces/kube-system/daemonsets")["kube-proxy"]
    assert found["Containers"] == "kube-proxy"
    assert found["Selector"] == "k8s-app=kube-proxy"
    assert "/kube-proxy:" in found["Images"]


def test_a_scale_has_columns_of_its_own_and_refuses_less_than_none() -> None:
    lab = Lab()
    found = rows(lab, f"{DEPLOYMENTS}/petsite/scale")["petsite"]
    assert (found["Desired"], found["Available"]) == (2, 2)
    refused = lab.ask(
        "PATCH",
        f"{DEPLOYMENTS}/petsite/scale",
        {"spec": {"replicas": -2}},
        content_type="application/merge-patch+json",
    )
    assert refused.status == 422
    assert refused.json()["message"] == (
        'Scale.autoscaling "petsite" is invalid: spec.replicas: Invalid value: -2: '
        "must be greater than or equal to 0"
    )


def test_a_secret_is_opaque_and_its_texts_are_encoded() -> None:
    lab = Lab()
    made = {"metadata": {"name": "s"}, "stringData": {"a": "b"}}
    found = lab.ask("POST", f"{CORE}/secrets", made).json()
    assert (found["type"], found["data"]) == ("Opaque", {"a": "Yg=="})
    assert "stringData" not in found
    for wrong in ({"data": {"a": "not base64!"}}, {"data": 3}, {"data": {"a": 1}}):
        answer = lab.ask("POST", f"{CORE}/secrets", {"metadata": {"name": "t"}, **wrong})
        assert answer.status == 400


@pytest.mark.parametrize(
    ("url", "body"),
    [
        (f"{CORE}/configmaps", {"data": {"a": 1}}),
        (f"{CORE}/endpoints", {"subsets": ["x"]}),
        (f"{CORE}/endpoints", {"subsets": [{"addresses": [3]}]}),
        (
            "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices",
            {"addressType": "IPv4", "endpoints": ["x"]},
        ),
    ],
)
def test_what_could_not_be_listed_is_refused(url: str, body: Any) -> None:
    lab = Lab()
    assert lab.ask("POST", url, {"metadata": {"name": "odd"}, **body}).status == 400
    rows(lab, url)


def test_an_autoscaler_is_the_same_in_its_old_version() -> None:
    lab = Lab()
    old, new = HPA.format("v1"), HPA.format("v2")
    assert lab.get(f"{old}/payforadoption-go")["spec"]["targetCPUUtilizationPercentage"] == 70
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "petsite"}
    spec = {"scaleTargetRef": target, "maxReplicas": 3, "targetCPUUtilizationPercentage": 60}
    made = {"metadata": {"name": "petsite"}, "spec": spec}
    assert lab.ask("POST", old, made).status == 201
    assert lab.ask("POST", old, made).json()["reason"] == "AlreadyExists"
    (metric,) = lab.get(f"{new}/petsite")["spec"]["metrics"]
    assert metric["resource"]["target"] == {"type": "Utilization", "averageUtilization": 60}
    assert lab.get(f"{old}/petsite")["apiVersion"] == "autoscaling/v1"


def test_targets_of_other_metrics_are_shown_too() -> None:
    lab = Lab()
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "petsite"}
    external = {"metric": {"name": "q"}, "target": {"type": "AverageValue", "averageValue": "3"}}
    spec = {
        "scaleTargetRef": target,
        "maxReplicas": 3,
        "metrics": [{"type": "External", "external": external}],
    }
    made = {"metadata": {"name": "petsite"}, "spec": spec}
    assert lab.ask("POST", HPA.format("v2"), made).status == 201
    assert rows(lab, HPA.format("v2"))["petsite"]["Targets"] == "<unknown>/3 (avg)"


@pytest.mark.parametrize(
    ("url", "name", "column", "value"),
    [
        ("/apis/storage.k8s.io/v1/storageclasses", "gp2", "Provisioner", "kubernetes.io/aws-ebs"),
        ("/apis/scheduling.k8s.io/v1/priorityclasses", "system-node-critical", "Value", 2000001000),
    ],
)
def test_the_cluster_has_its_classes(url: str, name: str, column: str, value: Any) -> None:
    assert rows(Lab(), url)[name][column] == value


def test_an_ingress_is_kept_and_listed() -> None:
    lab = Lab()
    url = "/apis/networking.k8s.io/v1/namespaces/default/ingresses"
    made = {"metadata": {"name": "shop"}, "spec": {"rules": [{"host": "shop.example.com"}]}}
    assert lab.ask("POST", url, made).status == 201
    shown = rows(lab, url)["shop"]
    assert (shown["Hosts"], shown["Ports"], shown["Class"]) == ("shop.example.com", "80", "<none>")


def test_ports_of_slices_have_names_and_numbers_as_typed_clients_need() -> None:
    lab = Lab()
    selector = {"app": "petsite"}
    for name, target in (("unnamed", 8080), ("unknown", "nobody")):
        ports = [{"port": 80, "targetPort": target}]
        made = {"metadata": {"name": name}, "spec": {"selector": selector, "ports": ports}}
        assert lab.ask("POST", f"{CORE}/services", made).status == 201
    lab.pass_seconds(2)
    slices = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
    found = {
        one["metadata"]["labels"]["kubernetes.io/service-name"]: one["ports"]
        for one in lab.get(slices)["items"]
    }
    assert found["unnamed"] == [{"name": "", "protocol": "TCP", "port": 8080}]
    assert found["unknown"] == []
