"""What CloudWatch Container Insights makes of the lab's cluster: datapoints under its names.

A pod's datapoint comes when cAdvisor has looked at it anew, every 10 to 15 s. Utilizations are
percentages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from petops.lab.selectors import selects
from petops.lab.usage import ContainerUsage, NodeUsage

Json = Mapping[str, Any]
Objects = Callable[[str], Iterable[Json]]
"""Returns the objects of a resource, by its plural name."""

Dimensions = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Series:
    """A metric of one thing. Container Insights names a pod by its workload, without the hashes."""

    metric: str
    dimensions: Dimensions


@dataclass(frozen=True, slots=True)
class Datapoint:
    """One value of a series."""

    series: Series
    at: datetime
    value: float


class ContainerInsights:
    """Turns usage and objects into datapoints. Keeps only what rates need: the last readings."""

    def __init__(self, cluster: str) -> None:
        self._cluster = cluster
        self._seen: dict[str, ContainerUsage] = {}
        self._restarts: dict[str, int] = {}

    def observe(
        self,
        now: datetime,
        usages: Iterable[ContainerUsage],
        nodes: Iterable[NodeUsage],
        objects: Objects,
    ) -> list[Datapoint]:
        """Return what is new since the last look."""
        return [each for part in self.observed(now, usages, nodes, objects) for each in part]

    def observed(
        self,
        now: datetime,
        usages: Iterable[ContainerUsage],
        nodes: Iterable[NodeUsage],
        objects: Objects,
    ) -> Iterator[list[Datapoint]]:
        """Yield the same part by part, so that others may have their turn in between."""
        yield list(self._pods([usage for usage in usages if usage.alive], objects))
        yield list(self._counted_restarts(now, objects))
        yield list(self._nodes(nodes, objects))

    def series(self, objects: Objects) -> Iterator[Series]:
        """Yield every series that these objects can have."""
        for service in objects("services"):
            if service["spec"].get("selector"):
                place, name = service["metadata"]["namespace"], service["metadata"]["name"]
                yield self._of_service("pod_memory_utilization_over_pod_limit", place, name)
                yield self._of_service("pod_cpu_utilization_over_pod_limit", place, name)
        for resource in ("deployments", "statefulsets", "daemonsets"):
            for workload in objects(resource):
                place, name = workload["metadata"]["namespace"], workload["metadata"]["name"]
                yield self._of_workload("pod_number_of_container_restarts", place, name)
        for node in objects("nodes"):
            yield self._of_node("node_memory_utilization", node)

    def _of_service(self, metric: str, namespace: str, service: str) -> Series:
        own = (("Namespace", namespace), ("Service", service))
        return Series(metric, (("ClusterName", self._cluster), *own))

    def _of_workload(self, metric: str, namespace: str, workload: str) -> Series:
        own = (("Namespace", namespace), ("PodName", workload))
        return Series(metric, (("ClusterName", self._cluster), *own))

    def _of_node(self, metric: str, node: Json) -> Series:
        instance = node.get("spec", {}).get("providerID", "").rpartition("/")[2]
        own = (("InstanceId", instance), ("NodeName", node["metadata"]["name"]))
        return Series(metric, (("ClusterName", self._cluster), *own))

    def _pods(self, usages: Iterable[ContainerUsage], objects: Objects) -> Iterator[Datapoint]:
        pods: dict[tuple[str, str], list[ContainerUsage]] = {}
        for usage in usages:
            pods.setdefault((usage.namespace, usage.pod), []).append(usage)
        before, self._seen = self._seen, {}
        services = _services_by_pod(objects)
        for key, containers in pods.items():
            earlier = [before.get(each.container_id) for each in containers]
            self._seen |= {each.container_id: each for each in containers}
            at = max(each.sampled_at for each in containers)
            if all(
                e is not None and e.sampled_at == c.sampled_at
                for e, c in zip(earlier, containers, strict=True)
            ):
                continue
            values = {
                "pod_memory_utilization_over_pod_limit": _memory_percent(containers),
                "pod_cpu_utilization_over_pod_limit": _cpu_percent(earlier, containers),
            }
            for metric, value in values.items():
                if value is not None:
                    for service in services.get(key, ()):
                        yield Datapoint(self._of_service(metric, key[0], service), at, value)

    def _counted_restarts(self, now: datetime, objects: Objects) -> Iterator[Datapoint]:
        """Yield how many restarts there were since the last look; none is a datapoint too."""
        counts, self._restarts = self._restarts, {}
        for pod in objects("pods"):
            uid, place = pod["metadata"]["uid"], pod["metadata"]["namespace"]
            statuses = pod.get("status", {}).get("containerStatuses", ())
            count = sum(status.get("restartCount", 0) for status in statuses)
            self._restarts[uid] = count
            if workload := _workload(pod, objects):
                series = self._of_workload("pod_number_of_container_restarts", place, workload)
                yield Datapoint(series, now, float(max(0, count - counts.get(uid, count))))

    def _nodes(self, nodes: Iterable[NodeUsage], objects: Objects) -> Iterator[Datapoint]:
        known = {node["metadata"]["name"]: node for node in objects("nodes")}
        for node in nodes:
            if node.node in known:
                used = 1 - node.memory_available_bytes / node.memory_total_bytes
                series = self._of_node("node_memory_utilization", known[node.node])
                yield Datapoint(series, node.at, 100 * used)


def _services_by_pod(objects: Objects) -> dict[tuple[str, str], list[str]]:
    selectors: dict[str, list[tuple[str, Json]]] = {}
    for service in objects("services"):
        if selector := service["spec"].get("selector"):
            metadata = service["metadata"]
            found = selectors.setdefault(metadata["namespace"], [])
            found.append((metadata["name"], {"matchLabels": selector}))
    return {
        (pod["metadata"]["namespace"], pod["metadata"]["name"]): [
            name
            for name, selector in selectors.get(pod["metadata"]["namespace"], ())
            if selects(selector, pod["metadata"].get("labels") or {})
        ]
        for pod in objects("pods")
    }


def _workload(pod: Json, objects: Objects) -> str:
    """Return the name of the pod's Deployment or other controller; empty for a bare pod."""
    owners = pod["metadata"].get("ownerReferences") or ()
    owner = next((each for each in owners if each.get("controller")), None)
    if owner is None:
        return ""
    if owner["kind"] == "ReplicaSet":
        return str(owner["name"]).rpartition("-")[0]  # what the agent does too
    return str(owner["name"])


def _memory_percent(containers: Iterable[ContainerUsage]) -> float | None:
    """Return None unless every container has a limit, as Container Insights does."""
    used, limit = 0, 0
    for each in containers:
        if not each.memory_limit_bytes:
            return None
        used += each.memory_working_set_bytes
        limit += each.memory_limit_bytes
    return 100 * used / limit if limit else None


def _cpu_percent(
    before: Iterable[ContainerUsage | None], now: Iterable[ContainerUsage]
) -> float | None:
    cores, limit = 0.0, 0.0
    for earlier, later in zip(before, now, strict=True):
        if earlier is None or not later.cpu_limit_cores:
            return None
        seconds = (later.sampled_at - earlier.sampled_at).total_seconds()
        if seconds > 0:
            cores += (later.cpu_seconds_total - earlier.cpu_seconds_total) / seconds
        limit += later.cpu_limit_cores
    return 100 * cores / limit if limit else None
