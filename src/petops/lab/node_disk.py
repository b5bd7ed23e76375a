"""Each kubelet's look at its node's disk: what programs write, evictions, and DiskPressure.

Only what programs write beyond their images is simulated, and only where a program writes at all.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from petops.lab.event_recorder import EventRecorder
from petops.lab.evictions import Evictions, Shortage
from petops.lab.node_memory import NodeRules
from petops.lab.places import Places
from petops.lab.quantities import quantity, stamp
from petops.lab.runs import Run
from petops.lab.stage import Stage
from petops.lab.store import Json, key_of

LOOK_SECONDS: Final = 10.0
_IMAGES_RATIO: Final = 0.18
_RESOURCE: Final = "ephemeral-storage"


def written_bytes(run: Run, now: datetime) -> int:
    """Return what a program has written to its node's disk."""
    return int(run.behaviour.disk_bytes(run.age(now)))


class NodeDisks:
    """Watches all nodes' disks."""

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
        self._low_at: dict[str, datetime] = {}

    def begin(self) -> None:
        """Look from now on."""
        self._look()

    def _look(self) -> None:
        written: dict[str, int] = {}
        for run in self._places.runs():
            bytes_ = written_bytes(run, self._stage.now)
            if bytes_:
                written[run.node] = written.get(run.node, 0) + bytes_
        for name in sorted({*written, *self._low_at} - self._places.silent):
            node = self._stage.store.find("nodes", "", name)
            if node is not None:
                self._judge(node, written.get(name, 0))
        self._stage.after(LOOK_SECONDS, self._look)

    def _judge(self, node: Json, written: int) -> None:
        name, now = key_of(node)[1], self._stage.now
        total = int(quantity(node["status"]["capacity"][_RESOURCE]))
        available = max(total - int(total * _IMAGES_RATIO) - written, 0)
        threshold = int(total * self._rules.disk_available_ratio)
        was = name in self._low_at
        if available < threshold:
            self._low_at[name] = now
            self._events.node(
                node, "EvictionThresholdMet", f"Attempting to reclaim {_RESOURCE}", warning=True
            )
            if not was:
                self._write(node, holds=True)
            self._reclaim(name, threshold, available)
        elif was:
            since = (now - self._low_at[name]).total_seconds()
            if since >= self._rules.transition_seconds:
                del self._low_at[name]
                self._write(node, holds=False)

    def _reclaim(self, name: str, threshold: int, available: int) -> None:
        shortage = Shortage(
            resource=_RESOURCE,
            threshold=str(threshold),
            available_bytes=available,
            used=written_bytes,
        )
        victim = self._evictions.next_of(name, shortage)
        if victim is not None:
            self._evictions.evict(victim, shortage)

    def _write(self, found: Json, *, holds: bool) -> None:
        said = "HasDiskPressure" if holds else "HasNoDiskPressure"
        name = key_of(found)[1]
        self._events.node(found, f"Node{said}", f"Node {name} status is now: Node{said}")
        at = stamp(self._stage.now)

        def write(node: Json) -> None:
            for one in node["status"].get("conditions") or ():
                if one["type"] == "DiskPressure":
                    one |= {
                        "status": str(holds),
                        "lastHeartbeatTime": at,
                        "lastTransitionTime": at,
                        "reason": f"Kubelet{said}",
                        "message": f"kubelet has {'' if holds else 'no '}disk pressure",
                    }

        self._stage.store.edit("nodes", "", name, write)
