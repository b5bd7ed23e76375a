"""Nodes whose CPUs are all taken, and nodes whose disk fills."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from petops.lab.node_cpu import shared
from petops.scenarios.drills import node_of, node_with, released
from tests.lab.hand_clock import Lab

pytestmark = pytest.mark.slow

CORES = st.floats(0.0, 16.0)


@given(st.floats(0.1, 64.0), st.lists(st.tuples(st.floats(2.0, 4000.0), CORES), max_size=12))
def test_cpus_are_shared_out_whole_and_nobody_gets_more_than_he_wants(
    cores: float, wanted: list[tuple[float, float]]
) -> None:
    got = shared(cores, wanted)
    demand = sum(each for _, each in wanted)
    assert sum(got) == pytest.approx(min(cores, demand), abs=1e-6)
    assert all(given_ <= each + 1e-9 for given_, (_, each) in zip(got, wanted, strict=True))
    # Who is short gets no less for his weight than anybody else.
    rates = [part / weight for part, (weight, each) in zip(got, wanted, strict=True) if part < each]
    most = [part / weight for part, (weight, _) in zip(got, wanted, strict=True)]
    assert not rates or min(rates) >= max(most) - 1e-6


def test_who_asked_for_less_than_he_uses_waits_beside_one_who_takes_all() -> None:
    lab = Lab()
    greedy = {"requests": {"cpu": "600m", "memory": "64Mi"}}
    released(lab.world, "encoder", {"CPU_CORES": "8"}, replicas=3, resources=greedy)
    modest = {"requests": {"cpu": "5m", "memory": "64Mi"}}
    released(lab.world, "modest", {"CPU_CORES": "0.3"}, replicas=1, resources=modest)
    lab.pass_seconds(120)
    usage = {one.pod.rsplit("-", 2)[0]: one for one in lab.world.usage()}
    waited = usage["modest"].cpu_waiting_seconds_total
    assert waited > 60
    assert usage["petsite"].cpu_waiting_seconds_total < waited / 10
    (node,) = [one for one in lab.world.nodes_usage() if one.node == node_of(lab.world, "modest")]
    assert node.pressure_cpu_waiting_seconds_total > 60
    lab.ask("DELETE", "/apis/apps/v1/namespaces/default/deployments/encoder")
    lab.pass_seconds(60)
    before = usage_of(lab, "modest")
    lab.pass_seconds(60)
    assert usage_of(lab, "modest") - before < 1


def usage_of(lab: Lab, app: str) -> float:
    (found,) = [one for one in lab.world.usage() if one.pod.startswith(f"{app}-")]
    return found.cpu_waiting_seconds_total


def test_a_disk_that_fills_is_told_and_reclaimed_as_the_kubelet_does_it() -> None:
    lab = Lab()
    released(lab.world, "exporter", {"WRITES_MIB_PER_SECOND": "600"}, replicas=1)
    lab.pass_seconds(115)
    node = node_with(lab.world, "DiskPressure")
    taints = lab.get(f"/api/v1/nodes/{node}")["spec"]["taints"]
    assert ("node.kubernetes.io/disk-pressure", "NoSchedule") in [
        (one["key"], one["effect"]) for one in taints
    ]
    evicted = [
        one
        for one in lab.get("/api/v1/namespaces/default/pods")["items"]
        if one["status"].get("reason") == "Evicted"
    ]
    assert len(evicted) == 1
    message = evicted[0]["status"]["message"]
    assert message.startswith("The node was low on resource: ephemeral-storage. Threshold quantity")
    assert "Container exporter was using " in message
    assert "request is 0, has larger consumption of ephemeral-storage." in message


def test_a_node_that_says_nothing_of_its_conditions_ends_nothing() -> None:
    lab = Lab()
    made = {"metadata": {"name": "bare"}, "status": {"allocatable": {"cpu": "2", "pods": "10"}}}
    assert lab.ask("POST", "/api/v1/nodes", made).status == 201
    lab.pass_seconds(120)
    assert lab.get("/api/v1/nodes/bare")["metadata"]["name"] == "bare"
