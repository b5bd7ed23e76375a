"""Evictions: which pod a kubelet gives up when its node has no memory left, and what is seen of it.

The order is the kubelet's own: a pod without statistics (it just crashed) goes first, then those
that use more than they asked for, by priority, by how much more. Budgets and grace do not count.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from petops.lab.event_recorder import EventRecorder
from petops.lab.places import Place, Places
from petops.lab.pod_facts import requested
from petops.lab.pod_status import failed, terminated
from petops.lab.quantities import amount, binary
from petops.lab.runs import Run
from petops.lab.stage import Stage
from petops.lab.store import Json, key_of

CRITICAL_PRIORITY: Final = 2_000_000_000
_KILLED: Final = 137
_WRITTEN_SECONDS: Final = 2.6
_UNKNOWN: Final[Json] = {
    "terminated": {
        "exitCode": _KILLED,
        "reason": "ContainerStatusUnknown",
        "message": "The container could not be located when the pod was terminated",
        "startedAt": None,
        "finishedAt": None,
    }
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortage:
    """What a node is short of: `used` tells what a program has of it, now.

    `threshold` is as the kubelet writes it, `available_bytes` what is left.
    """

    resource: str
    threshold: str
    available_bytes: int
    used: Callable[[Run, datetime], int]


class Evictions:
    """Chooses a node's next victim, and ends it."""

    def __init__(
        self,
        stage: Stage,
        places: Places,
        events: EventRecorder,
        settle: Callable[[], None],
    ) -> None:
        self._stage, self._places, self._events = stage, places, events
        self._settle = settle
        self.counts: dict[str, int] = {}
        """How many pods each node's kubelet has evicted."""

    def next_of(self, node: str, shortage: Shortage) -> Json | None:
        """Return the pod of a node that goes first; None if there is none that may."""
        found = [
            pod
            for pod in self._places.pods_on(node)
            if pod["spec"].get("priority", 0) < CRITICAL_PRIORITY
        ]
        return min(found, key=lambda pod: self._rank(pod, shortage), default=None)

    def evict(self, pod: Json, shortage: Shortage) -> None:
        """End a pod at once; it stays as a failed one that says why."""
        uid, node = pod["metadata"]["uid"], pod["spec"]["nodeName"]
        places = self._places.of[uid]
        found = ((place, self._excess(place, shortage)) for place in places)
        greedy = [(place, used) for place, used in found if used is not None]
        message = self._message(shortage, greedy)
        annotations = {
            "offending_containers": ",".join(place.name for place, _ in greedy),
            "offending_containers_usage": ",".join(binary(used) for _, used in greedy),
            "starved_resource": shortage.resource,
        }
        self._events.kubelet(
            pod, "Evicted", message, warning=True, annotations=annotations if greedy else None
        )
        self.counts[node] = self.counts.get(node, 0) + 1
        self._settle()
        self._places.ending.add(uid)
        measured = False
        for place in places:
            run = place.run
            if run is not None and run.is_alive:
                measured = True
                self._places.say(place, "Killing", f"Stopping container {place.name}")
                run.ended_at, run.reason, run.exit_code = self._stage.now, "Error", _KILLED
                run.ready = False
        self._stage.after(
            _WRITTEN_SECONDS if measured else 0.4,
            lambda: self._write(pod, places, message, measured=measured),
        )

    def _rank(self, pod: Json, shortage: Shortage) -> tuple[bool, bool, int, float, str]:
        used = self._usage(pod, shortage)
        asked = requested(pod["spec"], shortage.resource)
        return (
            used is not None,
            used is not None and used <= asked,
            int(pod["spec"].get("priority", 0)),
            asked - (used or 0),
            pod["metadata"]["uid"],
        )

    def _usage(self, pod: Json, shortage: Shortage) -> int | None:
        """Return what a pod's containers use; None where none of them runs."""
        places = self._places.of[pod["metadata"]["uid"]]
        runs = [place.run for place in places if place.run is not None and place.run.is_alive]
        return sum(shortage.used(run, self._stage.now) for run in runs) if runs else None

    def _excess(self, place: Place, shortage: Shortage) -> int | None:
        """Return what a container uses, if it is more than it asked for."""
        if place.run is None or not place.run.is_alive:
            return None
        used = shortage.used(place.run, self._stage.now) // 1024 * 1024  # whole pages
        asked = amount(place.spec.get("resources") or {}, "requests", shortage.resource) or 0.0
        return used if used > asked else None

    @staticmethod
    def _message(shortage: Shortage, greedy: Sequence[tuple[Place, int]]) -> str:
        resource = shortage.resource
        clauses = [
            f"Container {place.name} was using {binary(used)}, request is "
            f"{(place.spec.get('resources') or {}).get('requests', {}).get(resource, 0)}, "
            f"has larger consumption of {resource}. "
            for place, used in greedy
        ]
        return (
            f"The node was low on resource: {resource}. Threshold quantity: {shortage.threshold}, "
            f"available: {shortage.available_bytes // 1024}Ki. " + "".join(clauses)
        )

    def _write(self, pod: Json, places: Sequence[Place], message: str, *, measured: bool) -> None:
        states = {
            place.name: terminated(place.run) if measured and place.run else _UNKNOWN
            for place in places
        }

        def write(found: Json) -> None:
            failed(found, self._stage.now, "Evicted", message, states)

        self._places.edit(pod, write, conclude_after=False)
        found = self._stage.store.find("pods", *key_of(pod))
        if found is not None and "deletionTimestamp" in found["metadata"]:
            self._stage.store.delete("pods", *key_of(pod))
