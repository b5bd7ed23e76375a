"""What runs where, for intake: pods, nodes, ReplicaSets and Services of a whole cluster."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from petops.domain.evidence import Window
from petops.domain.subject import ClusterName, Kind, Subject
from petops.domain.topology import Topology, is_workload
from petops.domain.traces import ServiceGraph
from petops.errors import SourceError, UsageError
from petops.ports import Clock, KubernetesCalls, Traces
from petops.sources.kubernetes_reader import Reader, one_failure
from petops.sources.kubernetes_shapes import (
    condition,
    controller_of,
    is_selected,
    labels_of,
    moment,
    owner_of,
)

Json = Any

_PODS: Final = "/api/v1/pods"
_NODES: Final = "/api/v1/nodes"
_SERVICES: Final = "/api/v1/services"
_REPLICA_SETS: Final = "/apis/apps/v1/replicasets"
_CALLS_SPAN: Final = timedelta(minutes=30)
_CALLS_EVERY: Final = timedelta(minutes=5)
_PRESSURES: Final = ("MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable")


class KubernetesTopology:
    """`TopologySource` by way of the Kubernetes API; who calls whom comes from traces."""

    def __init__(
        self,
        calls: KubernetesCalls,
        name: ClusterName,
        *,
        clock: Clock,
        traces: Traces | None = None,
    ) -> None:
        self._calls = calls
        self._name = name
        self._clock = clock
        self._traces = traces
        self._graph = ServiceGraph()
        self._graph_at: datetime | None = None

    async def topology(self) -> Topology:
        """Return the cluster as it is now; Services, ReplicaSets and traces may be missing."""
        reader = Reader(self._calls)
        with one_failure():
            async with asyncio.TaskGroup() as group:
                pods = group.create_task(reader.every(_PODS))
                nodes = group.create_task(reader.every(_NODES))
                sets = group.create_task(_or_none(reader, _REPLICA_SETS))
                services = group.create_task(_or_none(reader, _SERVICES))
                graph = group.create_task(self._called())
        return await asyncio.to_thread(
            shaped,
            self._name,
            self._clock.now(),
            pods.result(),
            nodes.result(),
            sets.result(),
            services.result(),
            graph.result(),
        )

    async def _called(self) -> ServiceGraph:
        """Return who calls whom, as it was a few minutes ago at most."""
        now = self._clock.now()
        if self._traces is None:
            return self._graph
        if self._graph_at is None or now - self._graph_at >= _CALLS_EVERY:
            self._graph_at = now
            try:
                window = Window.before(now, _CALLS_SPAN)
                self._graph = (await self._traces.graph(window)).value
            except SourceError:
                pass
        return self._graph


async def _or_none(reader: Reader, path: str) -> list[Json]:
    try:
        return await reader.every(path)
    except SourceError:
        return []


def shaped(  # noqa: PLR0917 (one argument a list)
    cluster: ClusterName,
    at: datetime,
    pods: Sequence[Json],
    nodes: Sequence[Json],
    replica_sets: Sequence[Json],
    services: Sequence[Json],
    graph: ServiceGraph,
) -> Topology:
    """Return the topology that these objects make."""
    sets = {one["metadata"]["uid"]: one for one in replica_sets}
    sick = {one["metadata"]["name"]: why for one in nodes if (why := _sickness(one))}
    owners: dict[Subject, Subject] = {}
    count: dict[Subject, int] = defaultdict(int)
    unready: dict[Subject, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    example: dict[Subject, Json] = {}
    for pod in pods:
        owner, itself = owner_of(pod, sets, cluster), _pod(pod, cluster)
        node = pod["spec"].get("nodeName") or ""
        if owner != itself:
            owners[itself] = owner
        example.setdefault(owner, pod)
        is_leaving = bool(pod["metadata"].get("deletionTimestamp")) or _is_over(pod)
        if is_leaving and node not in sick:
            continue
        count[owner] += 1
        if condition(pod, "Ready") != "True":
            unready[owner][node] += 1
    owners |= _behind(services, example, cluster)
    return Topology(
        at=at,
        owners=owners,
        pods=dict(count),
        unready={key: dict(one) for key, one in unready.items()},
        sick_nodes=sick,
        changed_at=_changed(replica_sets, cluster),
        calls=calls_of(graph, example),
    )


def _pod(pod: Json, cluster: ClusterName) -> Subject:
    metadata = pod["metadata"]
    return Subject(
        cluster=cluster, kind=Kind.POD, namespace=metadata["namespace"], name=metadata["name"]
    )


def _is_over(pod: Json) -> bool:
    return (pod.get("status") or {}).get("phase") in {"Succeeded", "Failed"}


def _sickness(node: Json) -> str:
    """Say what is wrong with a node; empty where nothing is."""
    if condition(node, "Ready") != "True":
        return "it is not ready"
    pressures = [one for one in _PRESSURES if condition(node, one) == "True"]
    return f"it has {pressures[0]}" if pressures else ""


def _behind(
    services: Iterable[Json], example: Mapping[Subject, Json], cluster: ClusterName
) -> dict[Subject, Subject]:
    """Return the workload of each Service that selects the pods of one alone."""
    spaces: dict[str, list[tuple[Subject, Mapping[str, str]]]] = defaultdict(list)
    for owner, pod in example.items():
        spaces[owner.namespace].append((owner, labels_of(pod)))
    found = {}
    for one in services:
        selector = (one.get("spec") or {}).get("selector")
        if not selector:
            continue
        metadata, wanted = one["metadata"], {"matchLabels": selector}
        chosen = [
            owner for owner, labels in spaces[metadata["namespace"]] if is_selected(labels, wanted)
        ]
        if len(chosen) == 1:
            service = Subject(
                cluster=cluster,
                kind=Kind.SERVICE,
                namespace=metadata["namespace"],
                name=metadata["name"],
            )
            found[service] = chosen[0]
    return found


def _changed(replica_sets: Iterable[Json], cluster: ClusterName) -> dict[Subject, datetime]:
    """Return when each Deployment's present template came, by the newest ReplicaSet in use."""
    found: dict[Subject, datetime] = {}
    for one in replica_sets:
        above, made = controller_of(one), moment(one["metadata"].get("creationTimestamp"))
        in_use = (one.get("spec") or {}).get("replicas")
        if above is None or above["kind"] != Kind.DEPLOYMENT or made is None or not in_use:
            continue
        try:
            deployment = Subject(
                cluster=cluster,
                kind=Kind.DEPLOYMENT,
                namespace=one["metadata"]["namespace"],
                name=above["name"],
            )
        except UsageError:
            continue
        found[deployment] = max(made, found.get(deployment, made))
    return found


def calls_of(graph: ServiceGraph, known: Iterable[Subject]) -> dict[Subject, frozenset[Subject]]:
    """Return who calls whom as workloads; a service's name that two have stands for neither."""
    named: dict[str, list[Subject]] = defaultdict(list)
    for one in known:
        if is_workload(one):
            named[one.name].append(one)
            named[f"{one.namespace}/{one.name}"].append(one)
    called: dict[Subject, set[Subject]] = defaultdict(set)
    for caller, callee in graph.calls:
        above, below = named.get(caller, []), named.get(callee, [])
        if len(above) == 1 and len(below) == 1 and above != below:
            called[above[0]].add(below[0])
    return {key: frozenset(one) for key, one in called.items()}
