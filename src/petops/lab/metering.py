"""What containers and nodes use, as it is seen from outside: at a cAdvisor's cadence.

A container is looked at a moment after its start and then every 10 to 15 seconds; between two looks
the sample stays as it was. Samples are kept for some hours, those of containers that are gone too.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from petops.lab.kubelet import Kubelet
from petops.lab.node_cpu import NodeCpus
from petops.lab.node_memory import available_bytes
from petops.lab.quantities import moment, quantity
from petops.lab.runs import Run
from petops.lab.stage import Stage
from petops.lab.store import Json, key_of
from petops.lab.traffic import Traffic
from petops.lab.usage import ContainerUsage, NodeUsage

KEPT: Final = timedelta(hours=3)
TICK_SECONDS: Final = 15.0
_FRESH: Final = timedelta(seconds=5)
_LOOKS_APART: Final = (10.0, 15.0)
_SYSTEM_CORES: Final = 0.035


@dataclass(slots=True, kw_only=True, eq=False)
class Seen:
    """One run's samples, oldest first."""

    run: Run
    samples: deque[ContainerUsage] = field(default_factory=deque)
    looks: int = 0

    def at(self, at: datetime) -> ContainerUsage | None:
        """Return the sample that stood at a moment, if the run lived then."""
        if self.run.started_at > at or (self.run.ended_at is not None and self.run.ended_at <= at):
            return None
        position = bisect_right(self.samples, at, key=lambda sample: sample.sampled_at)
        return self.samples[position - 1] if position else None


class Meter:
    """Looks at containers and nodes."""

    def __init__(
        self, stage: Stage, kubelet: Kubelet, traffic: Traffic, kept: timedelta = KEPT
    ) -> None:
        self._stage, self._kubelet, self._traffic, self._kept = stage, kubelet, traffic, kept
        self._seen: dict[str, Seen] = {}
        self._nodes: deque[tuple[NodeUsage, ...]] = deque()
        self._spent: dict[str, float] = {}
        self._cpus = NodeCpus(stage, kubelet.runs, self.settle)

    def begin(self) -> None:
        """Begin to look, also at what has run for long: its counters start where they would be."""
        rates, now = self._traffic.mean_rates(), self._stage.now
        runs = list(self._kubelet.runs())
        for run in runs:
            self._age(run, rates.get(run.container_id, 0.0))
            self._watch(run)
        self._traffic.credit(
            {run.container_id: run.age(now) * rates.get(run.container_id, 0.0) for run in runs}
        )
        self._kubelet.started.append(self._watch)
        self._tick()
        self._cpus.begin()

    def settle(self) -> None:
        """Bring every counter up to the present."""
        self._traffic.settle()
        for run in self._kubelet.runs():
            run.spend(self._stage.now, self._traffic.taken(run))

    def now(self) -> Sequence[ContainerUsage]:
        """Return the latest sample of each container that runs."""
        found = (seen.at(self._stage.now) for seen in self._seen.values())
        return [sample for sample in found if sample is not None]

    def past(self, at: datetime) -> Sequence[ContainerUsage]:
        """Return the samples that stood at a moment."""
        found = (seen.at(at) for seen in self._seen.values())
        return [sample for sample in found if sample is not None]

    def all_samples(self) -> Iterator[tuple[Run, Iterable[ContainerUsage]]]:
        """Yield every sample that is kept, by run."""
        for seen in self._seen.values():
            yield seen.run, seen.samples

    def latest(self) -> Iterator[tuple[Run, ContainerUsage, ContainerUsage]]:
        """Yield the last two samples of each run that lives and has as many."""
        for seen in self._seen.values():
            if seen.run.is_alive and len(seen.samples) > 1:
                yield seen.run, seen.samples[-2], seen.samples[-1]

    def nodes_past(self, at: datetime) -> Sequence[NodeUsage]:
        """Return what the nodes used at a moment, or at the last tick before it."""
        position = bisect_right(self._nodes, at, key=lambda row: row[0].at)
        return self._nodes[max(position - 1, 0)] if self._nodes else ()

    def nodes(self) -> Sequence[NodeUsage]:
        """Return what each node uses now."""
        self.settle()
        runs = list(self._kubelet.runs())
        nodes = sorted(self._stage.store.objects("nodes"), key=key_of)
        by_node: dict[str, list[Run]] = {}
        for run in runs:
            by_node.setdefault(run.node, []).append(run)
        return [self._node(node, by_node.get(node["metadata"]["name"], [])) for node in nodes]

    def _age(self, run: Run, share: float) -> None:
        """A run that is older than the looking: count its past at its mean rate."""
        age = run.age(self._stage.now)
        run.cpu_seconds = age * (
            run.behaviour.cpu_cores(age / 2) + share * run.behaviour.cpu_seconds_per_request
        )
        run.periods = age * 2.5 if run.program.cpu_limit_cores else 0.0
        run.throttled_periods = run.periods * 0.002
        run.throttled_seconds = age * 1e-5 if run.program.cpu_limit_cores else 0.0
        run.settled_at = self._stage.now

    def _watch(self, run: Run) -> None:
        seen = self._seen[run.container_id] = Seen(run=run)
        self._look_later(seen, self._stage.chance.between(0.3, 3.0, "look", run.container_id))

    def _look_later(self, seen: Seen, seconds: float) -> None:
        self._stage.after(seconds, lambda: self._look(seen))

    def _look(self, seen: Seen) -> None:
        run = seen.run
        if not run.is_alive:
            self._spent[run.node] = self._spent.get(run.node, 0.0) + run.cpu_seconds
            return
        self._traffic.settle(unless_within=_FRESH)
        run.spend(self._stage.now, self._traffic.taken(run))
        seen.samples.append(self._sample(run))
        seen.looks += 1
        self._look_later(
            seen, self._stage.chance.between(*_LOOKS_APART, "look", run.container_id, seen.looks)
        )

    def _sample(self, run: Run) -> ContainerUsage:
        program, now = run.program, self._stage.now
        rss, cache, working_set, usage = run.behaviour.memory(
            run.age(now), program.memory_limit_bytes
        )
        return ContainerUsage(
            namespace=run.namespace,
            pod=run.pod,
            pod_uid=run.pod_uid,
            container=run.container,
            container_id=run.container_id,
            image=program.image,
            node=run.node,
            owner_kind=run.owner_kind,
            owner_name=run.owner_name,
            service_app=program.labels.get("app", ""),
            sampled_at=now,
            started_at=run.started_at,
            memory_rss_bytes=rss,
            memory_cache_bytes=cache,
            memory_working_set_bytes=working_set,
            memory_usage_bytes=usage,
            cpu_seconds_total=run.cpu_seconds,
            cfs_periods_total=int(run.periods),
            cfs_throttled_periods_total=int(run.throttled_periods),
            cfs_throttled_seconds_total=run.throttled_seconds,
            memory_limit_bytes=program.memory_limit_bytes,
            cpu_limit_cores=program.cpu_limit_cores,
            network_receive_bytes_total=int(run.network.received),
            network_transmit_bytes_total=int(run.network.sent),
            alive=True,
            cpu_waiting_seconds_total=run.waiting_seconds,
        )

    def _node(self, node: Json, runs: Sequence[Run]) -> NodeUsage:
        now, name, chance = self._stage.now, node["metadata"]["name"], self._stage.chance
        total = int(quantity(node["status"]["capacity"]["memory"]))
        cpus = int(quantity(node["status"]["capacity"]["cpu"]))
        up = (now - moment(node["metadata"]["creationTimestamp"])).total_seconds()
        busy = sum(run.cpu_seconds for run in runs) + self._spent.get(name, 0.0)
        user, system = busy * 0.8 + up * 0.03, busy * 0.2 + up * _SYSTEM_CORES
        iowait, stalled = up * 0.002, self._kubelet.pressure.stalled_seconds(name)
        return NodeUsage(
            node=name,
            at=now,
            cpus=cpus,
            memory_total_bytes=total,
            memory_available_bytes=available_bytes(node, runs, now, chance),
            cpu_idle_seconds_total=max(up * cpus - user - system - iowait, 0.0),
            cpu_user_seconds_total=user,
            cpu_system_seconds_total=system,
            cpu_iowait_seconds_total=iowait,
            disk_io_seconds_total=up * 0.004,
            pressure_cpu_waiting_seconds_total=up * 0.006
            + self._cpus.waiting_seconds.get(name, 0.0),
            pressure_memory_waiting_seconds_total=up * 1e-5 + stalled,
            pressure_io_waiting_seconds_total=up * 0.001,
            evictions_total=self._kubelet.evictions(name),
        )

    def _tick(self) -> None:
        """Keep what nodes and services stand at, and drop what is too old."""
        self._nodes.append(tuple(self.nodes()))
        self._traffic.keep(self._kept)
        oldest = self._stage.now - self._kept
        while self._nodes and self._nodes[0][0].at < oldest:
            self._nodes.popleft()
        for name, seen in list(self._seen.items()):
            while seen.samples and seen.samples[0].sampled_at < oldest:
                seen.samples.popleft()
            if not seen.samples and not seen.run.is_alive:
                del self._seen[name]
        self._stage.after(TICK_SECONDS, self._tick)
