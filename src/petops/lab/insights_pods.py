"""What Container Insights says of pods and their containers, from the meter's samples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from petops.lab.metric_points import Point
from petops.lab.runs import Run
from petops.lab.usage import ContainerUsage


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One pod, or one container of it, when cAdvisor looked: its samples and those before them."""

    now: Sequence[ContainerUsage]
    before: Sequence[ContainerUsage]
    restarted: bool
    node_cores: float
    node_bytes: float
    requested_cores: float
    requested_bytes: float

    @property
    def seconds(self) -> float:
        """How long it was since the look before; 0 at the first one."""
        if len(self.before) != len(self.now) or not self.before:
            return 0.0
        spans = (
            (later.sampled_at - earlier.sampled_at).total_seconds()
            for earlier, later in zip(self.before, self.now, strict=True)
        )
        return max(spans)

    def rate(self, of: Callable[[ContainerUsage], float]) -> float | None:
        """Return how much a counter grew a second, in all; None at the first look."""
        total = 0.0
        if not self.before or len(self.before) != len(self.now):
            return None
        for earlier, later in zip(self.before, self.now, strict=True):
            seconds = (later.sampled_at - earlier.sampled_at).total_seconds()
            if earlier.container_id != later.container_id:
                return None
            total += max(of(later) - of(earlier), 0.0) / seconds if seconds > 0 else 0.0
        return total

    @property
    def cores(self) -> float | None:
        return self.rate(lambda usage: usage.cpu_seconds_total)

    @property
    def limit_cores(self) -> float | None:
        limits = [usage.cpu_limit_cores for usage in self.now]
        return sum(one for one in limits if one) if all(limits) else None

    @property
    def limit_bytes(self) -> float | None:
        limits = [usage.memory_limit_bytes for usage in self.now]
        return float(sum(one for one in limits if one)) if all(limits) else None

    @property
    def working_set(self) -> float:
        return float(sum(usage.memory_working_set_bytes for usage in self.now))


Value = Callable[[Look], float | None]


def _ratio(part: float | None, whole: float | None) -> float | None:
    return 100 * part / whole if part is not None and whole else None


def _network(of: Callable[[ContainerUsage], float]) -> Value:
    """Return a rate of the pod's: its containers all show the same counter."""

    def value(look: Look) -> float | None:
        rate = look.rate(of)
        return None if rate is None else rate / len(look.now)

    return value


def _millicores(cores: float | None) -> float | None:
    return None if cores is None else 1000 * cores


OF_POD: Final[Mapping[str, Value]] = {
    "pod_cpu_utilization": lambda look: _ratio(look.cores, look.node_cores),
    "pod_cpu_utilization_over_pod_limit": lambda look: _ratio(look.cores, look.limit_cores),
    "pod_cpu_usage_total": lambda look: _millicores(look.cores),
    "pod_cpu_limit": lambda look: _millicores(look.limit_cores),
    "pod_cpu_request": lambda look: _millicores(look.requested_cores),
    "pod_cpu_reserved_capacity": lambda look: _ratio(look.requested_cores, look.node_cores),
    "pod_memory_utilization": lambda look: _ratio(look.working_set, look.node_bytes),
    "pod_memory_utilization_over_pod_limit": lambda look: _ratio(
        look.working_set, look.limit_bytes
    ),
    "pod_memory_working_set": lambda look: look.working_set,
    "pod_memory_limit": lambda look: look.limit_bytes,
    "pod_memory_request": lambda look: look.requested_bytes,
    "pod_memory_reserved_capacity": lambda look: _ratio(look.requested_bytes, look.node_bytes),
    "pod_network_rx_bytes": _network(lambda usage: usage.network_receive_bytes_total),
    "pod_network_tx_bytes": _network(lambda usage: usage.network_transmit_bytes_total),
    "pod_number_of_container_restarts": lambda look: float(look.restarted),
    "pod_number_of_running_containers": lambda look: float(len(look.now)),
}
OF_CONTAINER: Final[Mapping[str, Value]] = {
    "container_cpu_utilization": OF_POD["pod_cpu_utilization"],
    "container_cpu_utilization_over_container_limit": OF_POD["pod_cpu_utilization_over_pod_limit"],
    "container_memory_utilization": OF_POD["pod_memory_utilization"],
    "container_memory_utilization_over_container_limit": OF_POD[
        "pod_memory_utilization_over_pod_limit"
    ],
    "container_memory_working_set": OF_POD["pod_memory_working_set"],
    "container_cpu_throttled_periods": lambda look: look.rate(
        lambda usage: usage.cfs_throttled_periods_total
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """One pod, alive or gone: its runs by container, and what they are counted against."""

    namespace: str
    name: str
    workload: str
    services: tuple[str, ...]
    node: str
    instance: str
    runs: Sequence[tuple[Run, Sequence[ContainerUsage]]]
    node_cores: float
    node_bytes: float
    requested_cores: float

    def dimensions(self, cluster: str) -> Mapping[str, tuple[str, ...]]:
        """Return the values that this pod has for each dimension."""
        return {
            "ClusterName": (cluster,),
            "Namespace": (self.namespace,),
            "PodName": (self.workload,),
            "FullPodName": (self.name,),
            "Service": self.services,
            "ContainerName": tuple({run.container for run, _ in self.runs}),
        }

    def looks(self, start: float, end: float, container: str = "") -> Iterator[tuple[float, Look]]:
        """Yield each look at the pod in a window, or at one of its containers, oldest first."""
        chosen = [one for one in self.runs if container in {"", one[0].container}]
        names = {run.container for run, _ in chosen}
        merged = sorted(
            ((usage, run) for run, usages in chosen for usage in _within(usages, start, end)),
            key=lambda one: one[0].sampled_at,
        )
        latest: dict[str, ContainerUsage] = {}
        before: dict[str, ContainerUsage] = {}
        for usage, run in merged:
            had = latest.get(run.container)
            is_first = had is None or had.container_id != usage.container_id
            if had is not None and not is_first:
                before[run.container] = had
            latest[run.container] = usage
            at = usage.sampled_at.timestamp()
            if at >= start and latest.keys() == names:
                yield at, self._look(latest, before, restarted=is_first and _new(run, start))

    def _look(
        self,
        latest: Mapping[str, ContainerUsage],
        before: Mapping[str, ContainerUsage],
        *,
        restarted: bool,
    ) -> Look:
        requested = {run.container: run.program.memory_request_bytes or 0 for run, _ in self.runs}
        return Look(
            now=tuple(latest.values()),
            before=tuple(before[name] for name in latest if name in before),
            restarted=restarted,
            node_cores=self.node_cores,
            node_bytes=self.node_bytes,
            requested_cores=self.requested_cores,
            requested_bytes=float(sum(requested.values())),
        )


_MARGIN_SECONDS: Final = 20.0


def _within(usages: Sequence[ContainerUsage], start: float, end: float) -> Iterable[ContainerUsage]:
    """Return the samples of a window, and the last one before it, for rates."""
    low = start - _MARGIN_SECONDS
    return [usage for usage in usages if low <= usage.sampled_at.timestamp() < end]


def _new(run: Run, start: float) -> bool:
    """Say whether a run that is seen first in a window is a restart that happened in it."""
    return run.count > 0 and run.started_at.timestamp() >= start - _MARGIN_SECONDS


def values(pod: Pod, value: Value, start: float, end: float, container: str) -> Iterator[Point]:
    """Yield one point a look."""
    for at, look in pod.looks(start, end, container):
        found = value(look)
        if found is not None:
            yield Point(at, found)
