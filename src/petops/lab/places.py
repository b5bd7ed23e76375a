"""The containers' places on their nodes: what runs in them, and how a kubelet writes about them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from petops.lab.event_recorder import EventRecorder
from petops.lab.pod_status import admitted, conclude
from petops.lab.runs import Network, Run
from petops.lab.stage import KUBELET, Stage
from petops.lab.store import Json, key_of


@dataclass(slots=True, kw_only=True, eq=False)
class Place:
    """One container's place in a pod: its runs, newest last, and how often it crashed in a row."""

    pod: Json
    spec: Json
    network: Network
    runs: list[Run] = field(default_factory=list)
    restarts: int = 0
    crashes: int = 0
    failed_pulls: int = 0

    @property
    def name(self) -> str:
        return str(self.spec["name"])

    @property
    def run(self) -> Run | None:
        return self.runs[-1] if self.runs else None


class Places:
    """All places, by the uid of their pod. A pod that is ending is no longer `here`."""

    def __init__(self, stage: Stage, events: EventRecorder) -> None:
        self._stage, self._events = stage, events
        self._addresses: dict[str, int] = {}
        self.of: dict[str, list[Place]] = {}
        self.ending: set[str] = set()
        self.silent: set[str] = set()
        """Nodes whose kubelet is stopped: their programs run on, and nobody writes about them."""

    def runs(self) -> Iterator[Run]:
        """Yield the programs that run."""
        for places in self.of.values():
            for place in places:
                if place.run is not None and place.run.is_alive:
                    yield place.run

    def runs_on(self, node: str) -> Iterator[Run]:
        """Yield the programs that run on a node."""
        return (run for run in self.runs() if run.node == node)

    def pods_on(self, node: str) -> Iterator[Json]:
        """Yield the pods of a node that are here, and not ending."""
        for uid, places in list(self.of.items()):
            if places and places[0].pod["spec"]["nodeName"] == node and uid not in self.ending:
                yield places[0].pod

    def has(self, place: Place) -> bool:
        """Say whether a place's pod is here, not ending, and its kubelet at work."""
        uid, node = place.pod["metadata"]["uid"], place.pod["spec"]["nodeName"]
        return uid in self.of and uid not in self.ending and node not in self.silent

    def say(self, place: Place, reason: str, message: str, *, warning: bool = False) -> None:
        """Record an event about a container."""
        if place.pod["spec"]["nodeName"] in self.silent:
            return
        self._events.kubelet(place.pod, reason, message, container=place.name, warning=warning)

    def edit(
        self, pod: Json, change: Callable[[Json], None], *, conclude_after: bool = True
    ) -> None:
        """Write a pod's status, with its conditions, unless another pod has taken its name."""
        found = self._stage.store.find("pods", *key_of(pod))
        if found is None or found["metadata"]["uid"] != pod["metadata"]["uid"]:
            return
        if pod["spec"]["nodeName"] in self.silent:
            return

        def write(now: Json) -> None:
            if "containerStatuses" not in now["status"]:  # a pod's first, or somebody wiped it
                admitted(now, now["status"].get("hostIP", ""), self._stage.now)
            change(now)
            if conclude_after:
                conclude(now, self._stage.now)

        self._stage.edit(KUBELET, "pods", key_of(pod), write, "status")

    def address(self, pod: Json) -> str:
        """Return a pod's address."""
        number = self._addresses.setdefault(pod["metadata"]["uid"], len(self._addresses))
        return f"10.0.{64 + number // 250 % 128}.{3 + number % 250}"
