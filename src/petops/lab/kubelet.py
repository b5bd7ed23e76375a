"""The kubelets: what becomes of a pod on its node, as the recordings of a real one show it.

Volumes and sandbox (`volumes`, `sandboxes`), then pull, create, start in about a second; readiness
a moment after the program listens; a kill for memory when the working set reaches the limit (only
`lastState` says so: no event does); the first restart at once, later ones after 10 s, 20 s, 40 s
and so on, with a Warning `BackOff`; and an end with grace.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from petops.lab.endings import Endings
from petops.lab.event_recorder import EventRecorder
from petops.lab.evictions import Evictions
from petops.lab.image_pulls import ImagePulls
from petops.lab.kubernetes_subresources import LogLine, UnreachableKubeletError
from petops.lab.node_disk import NodeDisks
from petops.lab.node_heartbeats import NodeHeartbeats
from petops.lab.node_memory import NodeRules, available_bytes
from petops.lab.node_pressure import NodePressure
from petops.lab.places import Place, Places
from petops.lab.pod_facts import OVER, controller_of, set_condition
from petops.lab.pod_status import admitted, container_status, running, terminated
from petops.lab.probes import Probes, listens_at
from petops.lab.programs import Behaviours, Program, behaviour_of, dated
from petops.lab.resizes import Resizes
from petops.lab.runs import Network, Run
from petops.lab.sandboxes import Sandboxes
from petops.lab.stage import Stage
from petops.lab.store import Change, Json
from petops.lab.volumes import Volumes

_KEPT_LOG_SECONDS: Final = 6 * 3600.0
_KEPT_RUNS: Final = 2


class Kubelet:
    """Runs the pods of all nodes; calls `settle` before a change that counters depend on."""

    def __init__(
        self,
        stage: Stage,
        events: EventRecorder,
        behaviours: Behaviours,
        settle: Callable[[], None],
        rules: NodeRules | None = None,
    ) -> None:
        rules = rules or NodeRules()
        self._stage, self._behaviours, self._settle = stage, behaviours, settle
        self._places = Places(stage, events)
        self._endings = Endings(stage, self._places, self._restart, settle)
        self._probes = Probes(stage, self._places, settle, self._endings.kill)
        self._pulls = ImagePulls(stage, self._places)
        self._volumes = Volumes(stage, self._places, events)
        self._sandboxes = Sandboxes(stage, self._places, events)
        self._evictions = Evictions(stage, self._places, events, settle)
        self.pressure = NodePressure(stage, self._places, events, self._evictions, rules)
        self._disks = NodeDisks(stage, self._places, events, self._evictions, rules)
        self._heartbeats = NodeHeartbeats(stage, self._places, events, self._resumed)
        self._resizes = Resizes(stage, self._places, settle)
        self.started: list[Callable[[Run], None]] = []
        """Called with each run that begins."""
        stage.store.subscribe(self._changed)

    def begin(self) -> None:
        """Begin with what kubelets do all the time: Leases, and looking after their memory."""
        self._heartbeats.begin()
        self.pressure.begin()
        self._disks.begin()

    def runs(self) -> Iterator[Run]:
        """Yield the programs that run."""
        return self._places.runs()

    @property
    def silent(self) -> frozenset[str]:
        """The nodes whose kubelet does not run."""
        return frozenset(self._places.silent)

    def is_silent(self, node: str) -> bool:
        """Say whether a node's kubelet is stopped."""
        return node in self._places.silent

    def evictions(self, node: str) -> int:
        """Return how many pods a node's kubelet has evicted."""
        return self._evictions.counts.get(node, 0)

    def lines(self, pod: Json, container: str, *, previous: bool) -> Sequence[LogLine] | None:
        """Return what a container wrote in its present run, or in the one that ended last.

        Raise UnreachableKubeletError where its kubelet is stopped.
        """
        if pod["spec"]["nodeName"] in self._places.silent:
            raise UnreachableKubeletError(f"{pod['status'].get('hostIP')}:10250")
        places = self._places.of.get(pod["metadata"]["uid"], ())
        runs = next((place.runs for place in places if place.name == container), [])
        ended = [run for run in runs if not run.is_alive]
        choice = ended if previous else runs
        if not choice:
            return None
        chosen = choice[-1]
        until = chosen.age(chosen.ended_at or self._stage.now)
        since = max(until - _KEPT_LOG_SECONDS, 0.0)
        return [
            LogLine(*dated(chosen.started_at, at, text))
            for at, text in chosen.behaviour.writes(since, until)
        ]

    def listening(self, pod: Json, port: int) -> Run | None:
        """Return the program of a pod that listens at a port."""
        for place in self._places.of.get(pod["metadata"]["uid"], ()):
            run = place.run
            if run is None or not run.is_alive or not listens_at(place.spec, port):
                continue
            if run.age(self._stage.now) >= run.behaviour.listens_after:
                return run
        return None

    def _changed(self, change: Change) -> None:
        if change.resource != "pods":
            return
        pod, uid = change.now, change.now["metadata"]["uid"]
        if change.kind == "DELETED":
            self._forget(uid)
        elif pod["spec"].get("nodeName", "") in {"", *self._places.silent}:
            return
        elif uid not in self._places.of:
            self._admit(pod)
        elif "deletionTimestamp" in pod["metadata"] and uid not in self._places.ending:
            self._places.ending.add(uid)
            self._stage.after(0.05, lambda: self._endings.end_pod(pod))
        elif change.before is not None and change.before["spec"] is not pod["spec"]:
            self._resizes.seen(change.before, pod)

    def _admit(self, pod: Json) -> None:
        uid = pod["metadata"]["uid"]
        network = Network()
        self._places.of[uid] = [
            Place(pod=pod, spec=spec, network=network) for spec in pod["spec"]["containers"]
        ]
        node = self._stage.store.find("nodes", "", pod["spec"]["nodeName"])
        addresses = node["status"]["addresses"] if node else [{"address": ""}]
        host = addresses[0]["address"]

        def arrive() -> None:
            self._places.edit(pod, lambda found: admitted(found, host, self._stage.now))
            self._begin(pod)

        self._stage.after(0.05, arrive)

    def _begin(self, pod: Json) -> None:
        """Mount a pod's volumes, make its sandbox, and only then begin with its containers."""

        def pull() -> None:
            for place in self._places.of.get(pod["metadata"]["uid"], ()):
                self._pull(place)

        self._volumes.mount(pod, lambda: self._sandboxes.make(pod, pull))

    def _pull(self, place: Place) -> None:
        """Have the image, then create and start the container."""
        self._pulls.pull(place, lambda: self._start(place))

    def _start(self, place: Place) -> None:
        if not self._places.has(place):
            return
        self._settle()
        before, run = place.run, self._new_run(place)
        place.runs = [*place.runs, run][-_KEPT_RUNS:]
        self._places.say(place, "Created", f"Created container: {place.name}")
        self._places.say(place, "Started", f"Started container {place.name}")
        started = "startupProbe" not in place.spec
        run.ready = ready = started and "readinessProbe" not in place.spec

        def write(found: Json) -> None:
            address = self._places.address(found)
            found["status"] |= {"podIP": address, "podIPs": [{"ip": address}]}
            set_condition(found, "PodReadyToStartContainers", self._stage.now, holds=True)
            status = container_status(found, place.name)
            digest = self._stage.chance.container_id("image", place.spec["image"])
            status |= {
                "state": running(run),
                "ready": ready,
                "restartCount": place.restarts,
                "imageID": f"sha256:{digest}",
                "containerID": f"containerd://{run.container_id}",
                "started": started,
            }
            if before is not None:
                status["lastState"] = terminated(before)

        self._stage.after(0.2, lambda: self._places.edit(place.pod, write))
        for listener in self.started:
            listener(run)
        self._probes.begin(place, run)
        self._endings.look_ahead(place, run)

    def _new_run(self, place: Place) -> Run:
        pod, chance = place.pod, self._stage.chance
        left = functools.partial(self._available, pod["spec"]["nodeName"])
        program = Program.of(pod, place.spec, chance, self._stage.now, left)
        owner = controller_of(pod) or {"kind": "Pod", "name": pod["metadata"]["name"]}
        return Run(
            namespace=pod["metadata"]["namespace"],
            pod=pod["metadata"]["name"],
            pod_uid=pod["metadata"]["uid"],
            container=place.name,
            container_id=chance.container_id(
                "run", pod["metadata"]["uid"], place.name, place.restarts
            ),
            node=pod["spec"]["nodeName"],
            owner_kind=owner["kind"],
            owner_name=owner["name"],
            program=program,
            behaviour=behaviour_of(program, self._behaviours),
            count=place.restarts,
            started_at=self._stage.now,
            network=place.network,
        )

    def _available(self, name: str) -> int:
        node = self._stage.store.find("nodes", "", name)
        if node is None:
            return 0
        runs = self._places.runs_on(name)
        return available_bytes(node, runs, self._stage.now, self._stage.chance)

    def _resumed(self, node: str) -> None:
        """A kubelet is back: it takes up again what became of its node's pods meanwhile."""
        for pod in list(self._stage.store.objects("pods")):
            if pod["spec"].get("nodeName") != node or pod["status"].get("phase") in OVER:
                continue
            uid = pod["metadata"]["uid"]
            if uid not in self._places.of:
                self._admit(pod)
            elif "deletionTimestamp" in pod["metadata"]:
                self._places.ending.add(uid)
                self._endings.end_pod(pod)
            elif not any(place.runs for place in self._places.of[uid]):
                self._begin(pod)
            else:
                for place in self._places.of[uid]:
                    self._take_up(place)

    def _take_up(self, place: Place) -> None:
        run = place.run
        if run is None:
            self._pull(place)
        elif not run.is_alive:
            self._endings.notice(place, run)
        else:
            self._places.edit(place.pod, lambda _: None)
            self._probes.begin(place, run)
            self._endings.look_ahead(place, run)

    def _restart(self, place: Place, ended: Run) -> None:
        if not self._places.has(place) or place.run is not ended:
            return
        place.restarts += 1
        self._pull(place)

    def _forget(self, uid: str) -> None:
        self._settle()
        for place in self._places.of.pop(uid, ()):
            if place.run is not None and place.run.is_alive:
                place.run.ended_at, place.run.ready = self._stage.now, False
        self._places.ending.discard(uid)
        self._volumes.forget(uid)
        self._sandboxes.forget(uid)
