"""The namespace ContainerInsights: its metrics with their dimensions, made when they are asked for.

Nothing is stored twice: pods' values come of the meter's samples, nodes' of its rows, counts of the
programs that ran at a moment.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from petops.lab.insights_pods import OF_CONTAINER, OF_POD, Pod, values
from petops.lab.metric_points import Metric, Point
from petops.lab.pod_facts import condition, requested
from petops.lab.quantities import quantity
from petops.lab.runs import Run
from petops.lab.selectors import selects
from petops.lab.usage import ContainerUsage, NodeUsage
from petops.lab.world import World

Json = dict[str, Any]
Named = Mapping[str, str]
Sets = tuple[tuple[str, ...], ...]

NAMESPACE: Final = "ContainerInsights"
REMEMBERED_SECONDS: Final = 4 * 3600.0
_POD_SETS: Final[Sets] = (
    ("ClusterName",),
    ("ClusterName", "Namespace"),
    ("ClusterName", "Namespace", "Service"),
    ("ClusterName", "Namespace", "PodName"),
    ("ClusterName", "FullPodName", "Namespace", "PodName"),
)
_CONTAINER_SETS: Final[Sets] = (
    ("ClusterName",),
    ("ClusterName", "ContainerName", "Namespace", "PodName"),
    ("ClusterName", "ContainerName", "FullPodName", "Namespace", "PodName"),
)
_NODE_SETS: Final = (("ClusterName",), ("ClusterName", "InstanceId", "NodeName"))
_COUNT_SETS: Final[Mapping[str, Sets]] = {
    "cluster_node_count": (("ClusterName",),),
    "cluster_failed_node_count": (("ClusterName",),),
    "namespace_number_of_running_pods": (("ClusterName",), ("ClusterName", "Namespace")),
    "service_number_of_running_pods": (("ClusterName", "Namespace", "Service"),),
}
_TICK_SECONDS: Final = 15
_MINUTE: Final = 60

_OF_NODE: Final[Mapping[str, Callable[[NodeUsage, NodeUsage], float | None]]] = {
    "node_cpu_utilization": lambda before, now: 100 * _busy(before, now) / now.cpus,
    "node_cpu_usage_total": lambda before, now: 1000 * _busy(before, now),
    "node_cpu_limit": lambda _, now: 1000.0 * now.cpus,
    "node_memory_utilization": lambda _, now: 100 * _used(now) / now.memory_total_bytes,
    "node_memory_working_set": lambda _, now: float(_used(now)),
    "node_memory_limit": lambda _, now: float(now.memory_total_bytes),
}
_OF_NODE_NOW: Final = (
    "node_cpu_reserved_capacity",
    "node_memory_reserved_capacity",
    "node_number_of_running_pods",
    "node_number_of_running_containers",
    "node_status_condition_ready",
    "node_status_condition_memory_pressure",
    "node_status_condition_disk_pressure",
)


class InsightsMetrics:
    """A `Source` of one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def metrics(self, name: str = "") -> Iterator[Metric]:
        """Yield every metric that the cluster has now, or had in the last hours."""
        wanted = [one for one in _NAMES if name in {"", one}]
        of_nodes = [one for one in wanted if _sets(one) is _NODE_SETS]
        found: dict[Metric, None] = {}
        for pod in self.pods() if len(of_nodes) < len(wanted) else ():
            of = pod.dimensions(self._cluster)
            for one in wanted:
                if one not in of_nodes and _has(pod, one):
                    for pairs in (each for chosen in _sets(one) for each in _combined(of, chosen)):
                        found[Metric.of(NAMESPACE, one, pairs)] = None
        for node in self._world.store.objects("nodes") if of_nodes else ():
            named = self._named(node)
            for chosen in _NODE_SETS:
                pairs = {key: value for key, value in named.items() if key in chosen}
                found |= dict.fromkeys(Metric.of(NAMESPACE, one, pairs) for one in of_nodes)
        yield from found

    def points(self, metric: Metric, start: float, end: float) -> Iterable[Point]:
        """Return the values of one metric; none where nobody has such dimensions."""
        wanted, names = dict(metric.dimensions), tuple(name for name, _ in metric.dimensions)
        now = self._world.now.timestamp()
        start, end = max(start, now - REMEMBERED_SECONDS), min(end, now + 1)
        is_here = metric.namespace == NAMESPACE and wanted.get("ClusterName") == self._cluster
        if not is_here or names not in _sets(metric.name):
            return ()
        if value := OF_POD.get(metric.name) or OF_CONTAINER.get(metric.name):
            return self._of_pods(value, wanted, start, end)
        if metric.name in _OF_NODE:
            return self._of_nodes(metric.name, wanted, start, end)
        if metric.name in _OF_NODE_NOW:
            return self._of_nodes_now(metric.name, wanted, start, end)
        return self._counts(metric.name, wanted, start, end)

    def pods(self) -> Iterator[Pod]:
        """Yield every pod that was measured in the last hours."""
        store = self._world.store
        nodes = {node["metadata"]["name"]: node for node in store.objects("nodes")}
        live = {pod["metadata"]["uid"]: pod for pod in store.objects("pods")}
        services: dict[str, list[Json]] = {}
        for one in store.objects("services"):
            if one["spec"].get("selector"):
                services.setdefault(one["metadata"]["namespace"], []).append(one)
        runs: dict[str, list[tuple[Run, Sequence[ContainerUsage]]]] = {}
        for run, samples in self._world.meter.all_samples():
            runs.setdefault(run.pod_uid, []).append((run, list(samples)))
        for uid, found in runs.items():
            run = found[-1][0]
            capacity = nodes.get(run.node, {}).get("status", {}).get("capacity", {})
            yield Pod(
                namespace=run.namespace,
                name=run.pod,
                workload=_workload(run),
                services=tuple(_selecting(services.get(run.namespace, ()), run)),
                node=run.node,
                instance=_instance(nodes.get(run.node, {})),
                runs=found,
                node_cores=float(quantity(capacity.get("cpu", "0"))),
                node_bytes=float(quantity(capacity.get("memory", "0"))),
                requested_cores=requested(live[uid]["spec"], "cpu") if uid in live else 0.0,
            )

    @property
    def _cluster(self) -> str:
        return self._world.cluster.name

    def _chosen(self, wanted: Named) -> Iterator[Pod]:
        for pod in self.pods():
            of = pod.dimensions(self._cluster)
            if all(value in of.get(name, ()) for name, value in wanted.items()):
                yield pod

    def _of_pods(
        self, value: Callable[..., float | None], wanted: Named, start: float, end: float
    ) -> Iterator[Point]:
        for pod in self._chosen(wanted):
            yield from values(pod, value, start, end, wanted.get("ContainerName", ""))

    def _nodes(self, wanted: Named) -> Iterator[Json]:
        for node in self._world.store.objects("nodes"):
            named = self._named(node)
            if all(named.get(name) == value for name, value in wanted.items()):
                yield node

    def _named(self, node: Json) -> Named:
        return {
            "ClusterName": self._cluster,
            "InstanceId": _instance(node),
            "NodeName": node["metadata"]["name"],
        }

    def _of_nodes(self, name: str, wanted: Named, start: float, end: float) -> Iterator[Point]:
        chosen = {node["metadata"]["name"] for node in self._nodes(wanted)}
        before: dict[str, NodeUsage] = {}
        first = math.floor(start / _TICK_SECONDS) * _TICK_SECONDS
        for at in range(first - _TICK_SECONDS, math.ceil(end), _TICK_SECONDS):
            for usage in self._world.nodes_history(datetime.fromtimestamp(at, UTC)):
                had = before.get(usage.node)
                if usage.node not in chosen or (had is not None and had.at >= usage.at):
                    continue
                before[usage.node] = usage
                moment = usage.at.timestamp()
                if had is not None and start <= moment < end:
                    value = _OF_NODE[name](had, usage)
                    if value is not None:
                        yield Point(moment, value)

    def _of_nodes_now(self, name: str, wanted: Named, start: float, end: float) -> Iterator[Point]:
        for node in self._nodes(wanted):
            value = self._node_now(name, node)
            yield from (Point(at, value) for at in _minutes(start, end))

    def _node_now(self, name: str, node: Json) -> float:
        if name.startswith("node_status_condition_"):
            kind = {"ready": "Ready", "memory_pressure": "MemoryPressure"}.get(
                name.removeprefix("node_status_condition_"), "DiskPressure"
            )
            found = condition(node, kind)
            return float(found is not None and found["status"] == "True")
        pods = [
            pod
            for pod in self._world.store.objects("pods")
            if pod["spec"].get("nodeName") == node["metadata"]["name"]
            and pod["status"].get("phase") == "Running"
        ]
        if name == "node_number_of_running_pods":
            return float(len(pods))
        if name == "node_number_of_running_containers":
            return float(sum(len(pod["spec"]["containers"]) for pod in pods))
        resource = "cpu" if "cpu" in name else "memory"
        capacity = float(quantity(node["status"].get("capacity", {}).get(resource, "0")))
        used = sum(requested(pod["spec"], resource) for pod in pods)
        return 100 * used / capacity if capacity else 0.0

    def _counts(self, name: str, wanted: Named, start: float, end: float) -> Iterator[Point]:
        if name.startswith("cluster_"):
            nodes = list(self._nodes(wanted))
            for at in _minutes(start, end):
                failed = sum(_failed_at(node, at) for node in nodes)
                yield Point(at, float(failed if "failed" in name else len(nodes)))
            return
        pods = list(self._chosen(wanted))
        for at in _minutes(start, end):
            yield Point(at, float(sum(_ran_at(pod, at) for pod in pods)))


def _sets(name: str) -> Sets:
    """Return the sets of dimensions that a metric is published with."""
    if name in OF_POD:
        return _POD_SETS
    if name in OF_CONTAINER:
        return _CONTAINER_SETS
    return _NODE_SETS if name in {*_OF_NODE, *_OF_NODE_NOW} else _COUNT_SETS.get(name, ())


def _has(pod: Pod, name: str) -> bool:
    """Say whether a pod has a metric: those that compare with a limit need one."""
    if "limit" not in name:
        return True
    program = pod.runs[-1][0].program
    return bool(program.cpu_limit_cores if "cpu" in name else program.memory_limit_bytes)


def _combined(of: Mapping[str, tuple[str, ...]], chosen: Sequence[str]) -> Iterator[Named]:
    """Yield the pairs of a set of dimensions; a pod may have several services, or containers."""
    made: list[dict[str, str]] = [{}]
    for name in chosen:
        made = [{**pairs, name: value} for pairs in made for value in of[name]]
    yield from made


def _minutes(start: float, end: float) -> Iterator[float]:
    first = math.ceil(start / _MINUTE) * _MINUTE
    return (float(at) for at in range(first, math.ceil(end), _MINUTE))


def _used(node: NodeUsage) -> int:
    return node.memory_total_bytes - node.memory_available_bytes


def _busy(before: NodeUsage, now: NodeUsage) -> float:
    seconds = (now.at - before.at).total_seconds()
    user = now.cpu_user_seconds_total - before.cpu_user_seconds_total
    return (user + now.cpu_system_seconds_total - before.cpu_system_seconds_total) / seconds


def _workload(run: Run) -> str:
    """Return what the agent calls a pod: its workload, without the hashes."""
    is_of_deployment = run.owner_kind == "ReplicaSet"
    return run.owner_name.rpartition("-")[0] if is_of_deployment else run.owner_name


def _instance(node: Json) -> str:
    return str(node.get("spec", {}).get("providerID", "")).rpartition("/")[2]


def _selecting(services: Sequence[Json], run: Run) -> Iterator[str]:
    for service in services:
        selector = {"matchLabels": service["spec"]["selector"]}
        if selects(selector, run.program.labels):
            yield service["metadata"]["name"]


def _failed_at(node: Json, at: float) -> bool:
    """Say whether a node was not ready at a moment, as far as its condition tells."""
    found = condition(node, "Ready")
    if found is None or found["status"] == "True":
        return False
    return datetime.fromisoformat(found["lastTransitionTime"]).timestamp() <= at


def _ran_at(pod: Pod, at: float) -> bool:
    return any(
        run.started_at.timestamp() <= at and (run.ended_at is None or run.ended_at.timestamp() > at)
        for run, _ in pod.runs
    )


_NAMES: Final = (*OF_POD, *OF_CONTAINER, *_COUNT_SETS, *_OF_NODE, *_OF_NODE_NOW)
