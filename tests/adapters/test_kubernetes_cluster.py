"""What is asked of a Kubernetes API, and what comes of its answers and failures."""

import copy
from typing import Any

import pytest

from petops.domain.subject import Kind, Subject
from petops.errors import (
    ForbiddenError,
    NotThereError,
    OutcomeUnknownError,
    PetopsError,
    SourceError,
)
from petops.ports import ApiAnswer, Cluster, object_path
from petops.sources.kubernetes import KubernetesCluster
from tests.adapters.fake_kubernetes_api import (
    CLUSTER,
    FakeApi,
    recorded,
    recorded_answer,
    status,
)

SETS = "/apis/apps/v1/namespaces/{}/replicasets"


def subject(name: str, namespace: str = "", kind: Kind = Kind.DEPLOYMENT) -> Subject:
    return Subject(cluster=CLUSTER, kind=kind, namespace=namespace, name=name)


def cluster(api: FakeApi) -> Cluster:
    return KubernetesCluster(api, CLUSTER)


async def test_pods_of_a_deployment_and_what_was_asked_for_them() -> None:
    told = await cluster(FakeApi("oomkill")).pods(subject("orders-api", "oomkill"))
    assert [pod.name for pod in told.value] == [
        "orders-api-86646998c7-dhxfs",
        "orders-api-86646998c7-hlpj2",
    ]
    selector = "labelSelector=app.kubernetes.io/name=orders-api&limit=500"
    assert [one.query for one in told.asked] == [
        "GET /apis/apps/v1/namespaces/oomkill/deployments/orders-api",
        f"GET /api/v1/namespaces/oomkill/pods?{selector}",
        f"GET /apis/apps/v1/namespaces/oomkill/replicasets?{selector}",
    ]
    assert {one.source for one in told.asked} == {"kubernetes"}


async def test_pods_of_a_claim_are_those_that_mount_it() -> None:
    api = FakeApi("oomkill")
    pods = [copy.deepcopy(one) for one in recorded("oomkill", "pods")[:2]]
    names = [one["metadata"]["name"] for one in pods]
    pods[0]["spec"]["volumes"] = [
        {"name": "data", "persistentVolumeClaim": {"claimName": "orders"}}
    ]
    pods[1]["spec"]["volumes"] = [
        {"name": "scratch", "ephemeral": {"volumeClaimTemplate": {}}},
        {"name": "orders", "emptyDir": {}},
    ]
    api.add("pods", pods)
    claim = subject("orders", "oomkill", Kind.VOLUME_CLAIM)
    told = await cluster(api).pods(claim)
    assert [pod.name for pod in told.value] == [names[0]]
    assert told.value[0].owner == subject("orders-api", "oomkill")
    ephemeral = subject(f"{names[1]}-scratch", "oomkill", Kind.VOLUME_CLAIM)
    assert [pod.name for pod in (await cluster(api).pods(ephemeral)).value] == [names[1]]


async def test_pods_that_only_look_like_the_deployments_are_not_its_own() -> None:
    api = FakeApi("oomkill")
    stray = copy.deepcopy(recorded("oomkill", "pods")[0])
    stray["metadata"] |= {"name": "stray", "uid": "stray", "ownerReferences": []}
    api.add("pods", [stray])
    told = await cluster(api).pods(subject("orders-api", "oomkill"))
    assert "stray" not in {pod.name for pod in told.value}


async def test_a_long_list_is_read_page_by_page() -> None:
    api = FakeApi("evicted-unmeasured")
    api.page = 2
    told = await cluster(api).pods(subject("payments", "crashloop"))
    assert len(told.value) == len(recorded("evicted-unmeasured", "pods"))
    assert any("continue=2" in one.query for one in told.asked)


async def test_a_list_without_end_is_not_read() -> None:
    class Endless(FakeApi):
        async def request(self, method: str, path: str, **more: Any) -> ApiAnswer:
            return ApiAnswer(status=200, body={"items": [], "metadata": {"continue": "more"}})

    with pytest.raises(SourceError, match="too many to read"):
        await cluster(Endless()).nodes((), "default")


async def test_a_page_that_is_too_old_begins_the_list_again() -> None:
    class Expiring(FakeApi):
        expired = 0

        async def request(self, method: str, path: str, **more: Any) -> ApiAnswer:
            if "continue" in (more.get("query") or {}) and not self.expired:
                self.expired += 1
                return status(410, "The provided continue parameter is too old")
            return await super().request(method, path, **more)

    api = Expiring("evicted-unmeasured")
    api.page = 4
    told = await cluster(api).pods(subject("payments", "crashloop"))
    assert api.expired == 1
    assert len(told.value) == len(recorded("evicted-unmeasured", "pods"))


@pytest.mark.parametrize(
    ("what", "kind"),
    [("statefulsets", Kind.STATEFUL_SET), ("daemonsets", Kind.DAEMON_SET)],
)
async def test_a_workload_that_is_no_deployment_is_found_by_its_name(what: str, kind: Kind) -> None:
    labels = {"app": "db"}
    found = {
        "metadata": {"name": "db", "namespace": "shop", "uid": "u"},
        "spec": {"selector": {"matchLabels": labels}},
    }
    pod = copy.deepcopy(recorded("oomkill", "pods")[0])
    owner = {"kind": str(kind), "name": "db", "uid": "u", "controller": True}
    pod["metadata"] |= {"namespace": "shop", "labels": labels, "ownerReferences": [owner]}
    api = FakeApi()
    api.add(what, [found])
    api.add("pods", [pod])
    told = await cluster(api).pods(subject("db", "shop"))
    assert [one.owner for one in told.value] == [subject("db", "shop", kind)]


async def test_a_bare_pod_is_found_by_the_name_too() -> None:
    pod = copy.deepcopy(recorded("oomkill", "pods")[0])
    pod["metadata"] |= {"name": "tool", "ownerReferences": []}
    api = FakeApi()
    api.add("pods", [pod])
    told = await cluster(api).pods(subject("tool", "oomkill"))
    assert [one.owner.kind for one in told.value] == [Kind.POD]


async def test_nothing_of_that_name_is_not_there() -> None:
    with pytest.raises(NotThereError, match="Deployment oomkill/nope"):
        await cluster(FakeApi("oomkill")).pods(subject("nope", "oomkill"))


async def test_a_pods_owner_is_its_deployment() -> None:
    api, name = FakeApi("oomkill"), "orders-api-86646998c7-dhxfs"
    told = await cluster(api).pods(subject(name, "oomkill", Kind.POD))
    assert [one.owner for one in told.value] == [subject("orders-api", "oomkill")]
    api.answers["GET", SETS.format("oomkill") + "/orders-api-86646998c7"] = status(403, "no")
    assert (await cluster(api).pods(subject(name, "oomkill", Kind.POD))).value == told.value


async def test_pods_behind_a_service() -> None:
    told = await cluster(FakeApi("readiness")).pods(subject("catalog", "readiness", Kind.SERVICE))
    assert told.value
    assert {one.owner.kind for one in told.value} == {Kind.DEPLOYMENT}


async def test_a_service_without_selector_stands_for_no_pods() -> None:
    api = FakeApi("readiness")
    del api.one("/api/v1/namespaces/readiness/services/catalog")["spec"]["selector"]
    assert not (await cluster(api).pods(subject("catalog", "readiness", Kind.SERVICE))).value


async def test_pods_on_a_node_of_every_namespace() -> None:
    api = FakeApi("oomkill", "throttle")
    told = await cluster(api).pods(subject("node-a", kind=Kind.NODE))
    assert {pod.namespace for pod in told.value} == {"oomkill", "throttle"}
    assert {pod.owner.kind for pod in told.value} == {Kind.DEPLOYMENT}


async def test_a_node_is_found_by_its_instance() -> None:
    api = FakeApi("oomkill")
    api.one("/api/v1/nodes/node-a")["spec"]["providerID"] = "aws:///us-east-1a/i-0abcdef1234567890"
    told = await cluster(api).pods(subject("i-0abcdef1234567890", kind=Kind.NODE))
    assert len(told.value) == 2
    with pytest.raises(NotThereError):
        await cluster(api).pods(subject("i-0abcdef1234567891", kind=Kind.NODE))


def canary_beside_catalog() -> FakeApi:
    api = FakeApi("readiness")
    canary = copy.deepcopy(recorded("readiness", "pods")[0])
    canary["metadata"] |= {"name": "canary-1", "uid": "canary", "ownerReferences": []}
    outsider = copy.deepcopy(canary)
    outsider["metadata"] |= {"name": "outsider", "uid": "outsider", "labels": {"app": "else"}}
    api.add("pods", [canary, outsider])
    return api


async def test_related_pods_serve_the_same_service_and_are_anothers() -> None:
    told = await cluster(canary_beside_catalog()).related_pods(subject("catalog", "readiness"))
    assert [one.name for one in told.value] == ["canary-1"]


async def test_a_workload_that_no_service_selects_has_no_related_pods() -> None:
    told = await cluster(FakeApi("oomkill")).related_pods(subject("orders-api", "oomkill"))
    assert told.value == ()


async def test_rollouts_after_an_undo() -> None:
    told = await cluster(FakeApi("rollout-undone")).rollouts(subject("web", "rollout"))
    assert [one.number for one in told.value.revisions] == [4, 3, 1]
    assert told.value.current_since is not None
    assert told.value.current_since.isoformat() == "2026-11-23T05:08:03+00:00"
    assert len(told.asked) == 3


async def test_rollouts_without_permission_to_read_events() -> None:
    api = FakeApi("rollout-undone")
    api.answers["GET", "/api/v1/namespaces/rollout/events"] = recorded_answer("forbidden-rbac")
    told = await cluster(api).rollouts(subject("web", "rollout"))
    assert told.value.current_since is not None
    assert "pods" in told.asked[-1].query


async def test_only_deployments_have_revisions() -> None:
    with pytest.raises(SourceError, match="Deployments only"):
        await cluster(FakeApi()).rollouts(subject("db", "shop", Kind.STATEFUL_SET))


async def test_nodes_under_pressure_and_whom_they_evicted() -> None:
    told = await cluster(FakeApi("evicted-unmeasured")).nodes(["node-a", "gone"], "crashloop")
    assert told.value.nodes == ("node-a",)
    assert told.value.not_ready == ()
    assert len(told.value.evicted_pods) == 4
    told = await cluster(FakeApi("memory-pressure")).nodes(["node-a"], "memory-pressure")
    assert told.value.short_of_memory == ("node-a",)


async def test_a_workload() -> None:
    told = await cluster(FakeApi("rollout-undone")).workload(subject("web", "rollout"))
    assert (told.value.desired_replicas, told.value.ready_replicas) == (3, 2)
    with pytest.raises(SourceError, match="no workload"):
        await cluster(FakeApi()).workload(subject("web", "rollout", Kind.AUTOSCALER))


async def test_a_node_is_no_workload_and_yet_has_a_state() -> None:
    api = FakeApi("rollout-undone")
    told = await cluster(api).workload(subject("node-a", kind=Kind.NODE))
    assert (told.value.template, told.value.is_rolled_out) == ('{"spec":{}}', True)
    api.one("/api/v1/nodes/node-a")["spec"]["unschedulable"] = True
    told = await cluster(api).workload(subject("node-a", kind=Kind.NODE))
    assert told.value.template == '{"spec":{"unschedulable":true}}'


async def test_headroom() -> None:
    api = FakeApi("rollout-undone")
    room = (await cluster(api).headroom(subject("web", "rollout"))).value
    node = api.one("/api/v1/nodes/node-a")["status"]["allocatable"]["memory"]
    pods = len(recorded("rollout-undone", "pods"))
    assert room.disruptions_allowed == 0
    assert room.node_bytes == int(node.removesuffix("Ki")) * 1024 - pods * 32 * 2**20
    assert room.quota_bytes == 2**63 - 1


async def test_headroom_that_may_not_be_read_is_unknown() -> None:
    api, forbidden = FakeApi("rollout-undone"), recorded_answer("forbidden-rbac")
    api.answers["GET", "/api/v1/nodes/node-a"] = forbidden
    api.answers["GET", "/api/v1/namespaces/rollout/resourcequotas"] = forbidden
    api.answers["GET", "/apis/policy/v1/namespaces/rollout/poddisruptionbudgets"] = forbidden
    room = (await cluster(api).headroom(subject("web", "rollout"))).value
    assert (room.disruptions_allowed, room.node_bytes, room.quota_bytes) == (None, None, None)


async def test_who_we_are_is_what_kubernetes_says() -> None:
    api = FakeApi()
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    api.answers["POST", path] = recorded_answer("selfsubjectreview")
    assert await cluster(api).whoami() == "admin"
    api.answers["POST", path] = ApiAnswer(status=201, body={})
    with pytest.raises(SourceError):
        await cluster(api).whoami()
    api.answers["POST", path] = OutcomeUnknownError("no answer")
    with pytest.raises(SourceError):
        await cluster(api).whoami()


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        (recorded_answer("unauthorized-bad-token"), ForbiddenError, "401"),
        (recorded_answer("forbidden-rbac"), ForbiddenError, 'User "petops-readonly" cannot list'),
        (recorded_answer("anonymous-forbidden"), ForbiddenError, "system:anonymous"),
        (recorded_answer("not-found"), NotThereError, "not found"),
        (recorded_answer("no-such-resource"), NotThereError, "404 page not found"),
        (status(429, "slow down"), SourceError, "429"),
        (status(503, "etcd is away"), SourceError, "etcd is away"),
        (ApiAnswer(status=200, body="<html>"), SourceError, "no API server"),
        (ApiAnswer(status=200, body={"kind": "?"}), SourceError, "no API server"),
        (SourceError("refused"), SourceError, "refused"),
    ],
)
async def test_what_goes_wrong_is_one_sentence(
    answer: ApiAnswer | Exception, error: type[PetopsError], says: str
) -> None:
    api, who = FakeApi("oomkill"), subject("orders-api", "oomkill")
    api.answers["GET", object_path(who)] = answer
    with pytest.raises(error, match=says) as caught:
        await cluster(api).workload(who)
    assert "\n" not in caught.value.message
    with pytest.raises(SourceError):
        await cluster(api).related_pods(who)
