"""Each kubelet's look at its node's memory: events, evictions, and the condition MemoryPressure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from petops.lab.event_recorder import EventRecorder
from petops.lab.evictions import Evictions, Shortage
from petops.lab.node_memory import NodeRules, available_bytes, used_bytes
from petops.lab.places import Places
from petops.lab.quantities import binary, stamp
from petops.lab.runs import Run
from petops.lab.stage import KUBELET, Stage
from petops.lab.store import Json, key_of

LOOK_SECONDS: Final = 10.0
_CLOSER_SECONDS: Final = 1.0
_AFTER_EVICTION: Final = timedelta(seconds=3.5)
_WRITE_SECONDS: Final = 1.0
_STALLED_RATIO: Final = 0.4


@dataclass(slots=True)
class Watched:
    """What one kubelet remembers."""

    low_at: datetime | None = None
    waits_until: datetime | None = None
    holds: bool = False
    stalled_seconds: float = 0.0


class NodePressure:
    """Watches all nodes: every ten seconds, and every second under pressure."""

    def __init__(
        self,
        stage: Stage,
        places: Places,
        events: EventRecorder,
        evictions: Evictions,
        rules: NodeRules,
    ) -> None:
        self._stage, self._places, self._events = stage, places, events
        self._evictions, self._rules = evictions, rules
        self._watched: dict[str, Watched] = {}
        self._looked = stage.now

    def begin(self) -> None:
        """Look from now on."""
        self._looked = self._stage.now
        self._look()

    def stalled_seconds(self, node: str) -> float:
        """Return how long a node's programs have waited for memory under pressure."""
        return self._watched[node].stalled_seconds if node in self._watched else 0.0

    def _look(self) -> None:
        seconds = (self._stage.now - self._looked).total_seconds()
        self._looked = self._stage.now
        runs: dict[str, list[Run]] = {}
        for run in self._places.runs():
            runs.setdefault(run.node, []).append(run)
        for node in sorted(self._stage.store.objects("nodes"), key=key_of):
            if node["metadata"]["name"] in self._places.silent:
                continue
            mine = runs.get(node["metadata"]["name"], [])
            available = available_bytes(node, mine, self._stage.now, self._stage.chance)
            self._judge(node, available, seconds)
        closer = any(one.holds for one in self._watched.values())
        self._stage.after(_CLOSER_SECONDS if closer else LOOK_SECONDS, self._look)

    def _judge(self, node: Json, available: int, seconds: float) -> None:
        name, now = node["metadata"]["name"], self._stage.now
        watched = self._watched.setdefault(name, Watched())
        if available < self._rules.memory_available_bytes:
            watched.low_at = now
            watched.stalled_seconds += seconds * _STALLED_RATIO
            self._events.node(
                node, "EvictionThresholdMet", "Attempting to reclaim memory", warning=True
            )
            self._reclaim(name, watched, available)
        since = (now - watched.low_at).total_seconds() if watched.low_at else float("inf")
        holds = since < self._rules.transition_seconds
        if holds is not watched.holds:
            watched.holds = holds
            self._stage.after(_WRITE_SECONDS, lambda: self._write(name, holds))

    def _reclaim(self, node: str, watched: Watched, available: int) -> None:
        """Evict one pod, and wait until it is gone before looking for the next."""
        if watched.waits_until is not None and self._stage.now < watched.waits_until:
            return
        shortage = Shortage(
            resource="memory",
            threshold=binary(self._rules.memory_available_bytes),
            available_bytes=available,
            used=used_bytes,
        )
        victim = self._evictions.next_of(node, shortage)
        if victim is not None:
            self._evictions.evict(victim, shortage)
            watched.waits_until = self._stage.now + _AFTER_EVICTION

    def _write(self, name: str, holds: bool) -> None:
        enough = "Insufficient" if holds else "Sufficient"
        found = self._stage.store.find("nodes", "", name)
        if found is None or name in self._places.silent:
            return
        reason = f"NodeHas{enough}Memory"
        self._events.node(found, reason, f"Node {name} status is now: {reason}")
        at = stamp(self._stage.now)

        def write(node: Json) -> None:
            for one in node["status"].get("conditions") or ():
                if one["type"] == "MemoryPressure":
                    one |= {
                        "status": str(holds),
                        "lastHeartbeatTime": at,
                        "lastTransitionTime": at,
                        "reason": f"KubeletHas{enough}Memory",
                        "message": f"kubelet has {enough.lower()} memory available",
                    }

        self._stage.edit(KUBELET, "nodes", ("", name), write, "status")
