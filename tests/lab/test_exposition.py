"""What the lab exposes against what a real kubelet exposed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from petops.lab.application_metrics import application_samples
from petops.lab.cadvisor import cadvisor_samples, resource_samples
from petops.lab.exposition import Sample, milliseconds, render
from petops.lab.kube_state_metrics import kube_state_samples
from petops.lab.node_exporter import node_samples
from petops.lab.scraped import Scrapes, exporters
from tests.lab.figures import MIB, NODE, NODE_USAGE, TRAFFIC, USAGE, Figures
from tests.lab.hand_clock import MERGE, Lab

RECORDINGS = Path(__file__).parents[1] / "recordings"

NODES = "/api/v1/nodes"
STOPPED = {"metadata": {"annotations": {"lab.petops.dev/kubelet": "stopped"}}}

Shape = tuple[str, tuple[str, ...], tuple[str, ...], bool]


def shapes(text: str) -> set[Shape]:
    """Return of pods' series: name, labels, which labels are empty, whether there is a time."""
    return {
        (
            sample.name,
            tuple(sorted(sample.labels)),
            tuple(sorted(name for name, value in sample.labels.items() if not value)),
            sample.timestamp is not None,
        )
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.labels.get("namespace")
    }


def values(samples: Iterable[Sample]) -> dict[str, float]:
    return {sample.name: sample.value for sample in samples}


def test_cadvisor_series_are_those_of_a_real_kubelet() -> None:
    recorded = (RECORDINGS / "throttle" / "cadvisor.prom").read_text()
    # Kubelets from 1.34 on tell pressure by container; the recorded one is older.
    served = {
        shape
        for shape in shapes(render(cadvisor_samples([USAGE], [NODE_USAGE])))
        if not shape[0].startswith("container_pressure_")
    }
    assert served <= shapes(recorded)
    assert {shape[0] for shape in served} == {shape[0] for shape in shapes(recorded)}


def test_resource_series_are_those_of_a_real_kubelet() -> None:
    recorded = (RECORDINGS / "throttle" / "resource.prom").read_text()
    assert shapes(render(resource_samples([USAGE], [NODE_USAGE]))) == shapes(recorded)


def test_a_pod_stands_there_three_times_with_the_time_of_cadvisors_look() -> None:
    samples = [*cadvisor_samples([USAGE])]
    found = [each for each in samples if each.name == "container_memory_working_set_bytes"]
    assert [(dict(each.labels)["container"], dict(each.labels)["image"]) for each in found] == [
        ("", ""),
        ("", "registry.k8s.io/pause:3.10"),
        ("petsite", USAGE.image),
    ]
    assert {each.at_ms for each in found} == {milliseconds(USAGE.sampled_at)}


def test_a_dead_container_is_gone_while_its_pod_is_not() -> None:
    samples = [*cadvisor_samples([replace(USAGE, alive=False)])]
    assert {dict(each.labels)["container"] for each in samples} == {""}


def test_without_limits_there_are_no_cfs_series_and_the_memory_limit_is_zero() -> None:
    free = replace(USAGE, memory_limit_bytes=None, cpu_limit_cores=None)
    samples = values(cadvisor_samples([free]))
    assert not any("cfs" in name for name in samples)
    assert "container_spec_cpu_quota" not in samples
    assert samples["container_spec_memory_limit_bytes"] == 0


def test_an_out_of_memory_kill_is_not_counted() -> None:
    assert values(cadvisor_samples([USAGE]))["container_oom_events_total"] == 0


def test_a_nodes_processors_together_have_all_its_seconds() -> None:
    modes = [each for each in node_samples([NODE_USAGE]) if each.name == "node_cpu_seconds_total"]
    assert len(modes) == 8
    assert sum(each.value for each in modes) == pytest.approx(1244)


def test_requests_by_code_add_up_to_the_histograms_count() -> None:
    samples = [*application_samples([TRAFFIC])]
    requests = [each.value for each in samples if each.name == "http_requests_total"]
    buckets = [each for each in samples if each.name.endswith("_bucket")]
    assert sum(requests) == values(samples)["http_request_duration_seconds_count"] == 100
    assert dict(buckets[-1].labels)["le"] == "+Inf"
    assert buckets[-1].value == 100
    assert [each.value for each in buckets] == sorted(each.value for each in buckets)


def recorded_objects(case: str) -> dict[str, list[dict[str, Any]]]:
    read = {path.stem: json.loads(path.read_text()) for path in (RECORDINGS / case).glob("*.json")}
    return {name: found["items"] for name, found in read.items() if "items" in found}


def test_kube_state_metrics_of_a_real_clusters_objects() -> None:
    objects = recorded_objects("oomkill")
    samples = [*kube_state_samples(lambda resource: objects.get(resource, ()))]
    by_name: dict[str, list[Sample]] = {}
    for each in samples:
        by_name.setdefault(each.name, []).append(each)
    ended = by_name["kube_pod_container_status_last_terminated_reason"]
    assert {dict(each.labels)["reason"] for each in ended} == {"OOMKilled"}
    assert {each.value for each in by_name["kube_pod_container_status_restarts_total"]} == {4}
    limits = [
        each
        for each in by_name["kube_pod_container_resource_limits"]
        if ("resource", "memory") in each.labels
    ]
    assert {each.value for each in limits} == {64 * MIB}
    assert {dict(each.labels)["unit"] for each in limits} == {"byte"}
    assert {dict(each.labels)["node"] for each in limits} == {"node-a"}
    owners = {dict(each.labels)["owner_name"] for each in by_name["kube_replicaset_owner"]}
    assert owners == {"orders-api"}
    ready = [
        each
        for each in by_name["kube_node_status_condition"]
        if {("condition", "Ready"), ("status", "true")} <= set(each.labels)
    ]
    assert [each.value for each in ready] == [1]
    phases = [each for each in by_name["kube_pod_status_phase"] if each.value]
    assert {dict(each.labels)["phase"] for each in phases} == {"Running"}


def test_an_evicted_pod_says_so() -> None:
    objects = recorded_objects("evicted-unmeasured")
    samples = kube_state_samples(lambda resource: objects.get(resource, ()))
    evicted = [
        each
        for each in samples
        if each.name == "kube_pod_status_reason" and ("reason", "Evicted") in each.labels
    ]
    assert any(each.value for each in evicted)


def test_every_exporter_answers_text_that_prometheus_clients_can_read() -> None:
    world, scraped = Figures(), exporters([NODE])
    client = TestClient(Scrapes(world, scraped).app)
    for exporter in scraped:
        answer = client.get(exporter.path)
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        families = [*text_string_to_metric_families(answer.text)]
        assert families, exporter.job
        assert len({family.name for family in families}) == len(families)


def test_a_node_whose_kubelet_is_silent_or_that_is_gone_is_not_answered_for() -> None:
    lab = Lab()
    first, second = (node["metadata"]["name"] for node in list(lab.get(NODES)["items"])[:2])
    lab.ask("PATCH", f"{NODES}/{first}", STOPPED, content_type=MERGE)
    lab.ask("DELETE", f"{NODES}/{second}")
    client = TestClient(Scrapes(lab.world, exporters([first, second])).app)

    def statuses(node: str) -> dict[str, int]:
        return {
            each.job: client.get(each.path).status_code
            for each in exporters([first, second])
            if ("node", node) in each.labels
        }

    kubelet = dict.fromkeys(("cadvisor", "resource", "kubelet"), 503)
    assert statuses(first) == {**kubelet, "node-exporter": 200}
    assert statuses(second) == {**kubelet, "node-exporter": 503}
    start: dict[str, object] = {"metadata": {"annotations": {"lab.petops.dev/kubelet": None}}}
    lab.ask("PATCH", f"{NODES}/{first}", start, content_type=MERGE)
    client = TestClient(Scrapes(lab.world, exporters([first, second])).app)
    assert set(statuses(first).values()) == {200}


def test_labels_are_escaped() -> None:
    text = render([Sample("odd", (("path", 'a"b\\c\nd'),), 1)])
    (family,) = text_string_to_metric_families(text)
    assert family.samples[0].labels == {"path": 'a"b\\c\nd'}
