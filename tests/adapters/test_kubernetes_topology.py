"""What runs where on the lab's cluster, and whose a token is by its API."""

from __future__ import annotations

import pytest

from petops.domain.subject import ClusterName, Kind
from petops.domain.traces import ServiceEdge, ServiceGraph, ServiceNode
from petops.lab.ports_in_memory import WorldCalls
from petops.lab.world import World
from petops.ports import ApiAnswer
from petops.sources.kubernetes_reviews import TokenReviews
from petops.sources.kubernetes_topology import KubernetesTopology, calls_of, shaped
from tests.adapters.fake_kubernetes_api import FakeApi, recorded
from tests.recorded import deployment
from tests.virtual import BEGAN, VirtualClock

NAME = ClusterName(name="petops-lab")


@pytest.mark.slow
async def test_the_labs_workloads_services_and_nodes_are_seen() -> None:
    clock = VirtualClock()
    world = World(clock)
    found = await KubernetesTopology(WorldCalls(world), NAME, clock=clock).topology()
    assert found.at is not None
    services = [one for one in found.owners if one.kind is Kind.SERVICE]
    assert services
    for service in services:
        assert found.owners[service].kind is Kind.DEPLOYMENT
    assert all(found.workload(pod) in found.pods for pod in found.owners if pod.kind is Kind.POD)
    assert found.sick_nodes == {}


async def test_what_may_not_be_read_is_left_out() -> None:
    clock = VirtualClock()
    calls = WorldCalls(World(clock), frozenset({"services", "replicasets"}))
    found = await KubernetesTopology(calls, NAME, clock=clock).topology()
    assert found.pods
    assert not any(one.kind is Kind.SERVICE for one in found.owners)
    assert found.changed_at == {}


def test_a_real_cluster_with_a_lost_node() -> None:
    case = "node-notready"
    found = shaped(
        NAME, BEGAN, recorded(case, "pods"), recorded(case, "nodes"), [], [], ServiceGraph()
    )
    assert list(found.sick_nodes.values()) == ["it is not ready"]
    (node,) = found.sick_nodes
    on_it = [one for one in found.unready if node in found.unready[one]]
    assert on_it
    assert any(found.sick_node(one) == node for one in on_it)


def test_names_that_two_workloads_share_stand_for_neither() -> None:
    web, cart, other = (deployment("a", "web"), deployment("a", "cart"), deployment("b", "cart"))
    edges = (ServiceEdge(caller="web", callee="cart"),)
    graph = ServiceGraph(nodes=(ServiceNode(name="web", edges=edges), ServiceNode(name="cart")))
    assert calls_of(graph, [web, cart]) == {web: frozenset({cart})}
    assert calls_of(graph, [web, cart, other]) == {}


async def test_a_token_is_who_kubernetes_says_it_is() -> None:
    api = FakeApi()
    user = {"username": "ana", "groups": ["sre"]}
    path = ("POST", "/apis/authentication.k8s.io/v1/tokenreviews")
    status: dict[str, object] = {"authenticated": True, "user": user, "audiences": ["petops"]}
    api.answers[path] = ApiAnswer(status=201, body={"status": status})
    known = await TokenReviews(api)("t")
    assert known is not None
    assert (known.user, known.channel, known.groups) == ("ana", "kubernetes", ("sre",))
    assert await TokenReviews(api, audience="petops")("t") == known
    assert await TokenReviews(api, audience="another")("t") is None
    status["authenticated"] = False
    assert await TokenReviews(api)("t") is None
