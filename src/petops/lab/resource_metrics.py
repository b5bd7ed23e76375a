"""What metrics-server makes of the cluster: CPU and memory of pods and nodes, some seconds old."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from petops.lab.quantities import stamp
from petops.lab.runs import Run
from petops.lab.store import Json, ObjectStore, key_of
from petops.lab.usage import ContainerUsage, NodeUsage

_WINDOW: Final = timedelta(seconds=15)


class Measured(Protocol):
    """The part of the lab's meter that is read here."""

    def latest(self) -> Iterable[tuple[Run, ContainerUsage, ContainerUsage]]: ...

    def nodes(self) -> Iterable[NodeUsage]: ...

    def nodes_past(self, at: datetime) -> Iterable[NodeUsage]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What one container uses."""

    name: str
    cores: float
    memory_bytes: int
    at: datetime
    seconds: float


class ResourceMetrics:
    """Answers what uses how much."""

    def __init__(self, store: ObjectStore, measured: Measured) -> None:
        self._store, self._measured = store, measured

    def by_pod(self) -> dict[str, list[Used]]:
        """Return what the containers of each pod use, by the pod's uid; new pods are missing."""
        found: dict[str, list[Used]] = {}
        for run, before, now in self._measured.latest():
            seconds = (now.sampled_at - before.sampled_at).total_seconds()
            cores = (now.cpu_seconds_total - before.cpu_seconds_total) / seconds
            used = Used(
                name=run.container,
                cores=max(cores, 0.0),
                memory_bytes=now.memory_working_set_bytes,
                at=now.sampled_at,
                seconds=seconds,
            )
            found.setdefault(run.pod_uid, []).append(used)
        return found

    def pods(self) -> Iterator[Json]:
        """Yield PodMetrics, with the labels of their pods."""
        by_pod = self.by_pod()
        for pod in sorted(self._store.objects("pods"), key=key_of):
            used = by_pod.get(pod["metadata"]["uid"])
            if used and len(used) == len(pod["spec"]["containers"]):
                oldest = min(used, key=lambda one: one.at)
                yield {
                    "metadata": self._metadata(pod, oldest.at),
                    "timestamp": stamp(oldest.at),
                    "window": f"{oldest.seconds:.3f}s",
                    "containers": [
                        {"name": one.name, "usage": _usage(one.cores, one.memory_bytes)}
                        for one in used
                    ],
                }

    def nodes(self, now: datetime) -> Iterator[Json]:
        """Yield NodeMetrics; a node whose kubelet is silent is missing."""
        before = {one.node: one for one in self._measured.nodes_past(now - _WINDOW)}
        for usage in self._measured.nodes():
            node = self._store.find("nodes", "", usage.node)
            earlier = before.get(usage.node)
            if node is None or earlier is None or earlier.at >= usage.at:
                continue
            seconds = (usage.at - earlier.at).total_seconds()
            used = usage.memory_total_bytes - usage.memory_available_bytes
            yield {
                "metadata": self._metadata(node, usage.at),
                "timestamp": stamp(usage.at),
                "window": f"{seconds:.3f}s",
                "usage": _usage((_busy(usage) - _busy(earlier)) / seconds, used),
            }

    @staticmethod
    def _metadata(found: Json, at: datetime) -> Json:
        metadata = found["metadata"]
        kept = {
            name: metadata[name] for name in ("name", "namespace", "labels") if name in metadata
        }
        return {**kept, "creationTimestamp": stamp(at)}


def _busy(usage: NodeUsage) -> float:
    return usage.cpu_user_seconds_total + usage.cpu_system_seconds_total


def _usage(cores: float, memory: int) -> Json:
    return {"cpu": f"{round(cores * 1e9)}n", "memory": f"{memory // 1024}Ki"}
