"""The kubelets: what becomes of a pod on its node, as the recordings of a real one show it.

Pull, create, start in about a second; readiness a moment after the program listens; a kill for
memory when the working set reaches the limit (only `lastState` says so: no event does); the first
restart at once, later ones after 10 s, 20 s, 40 s and so on, with a Warning `BackOff`; and an end
with grace.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from petops.lab.endings import Endings
from petops.lab.event_recorder import EventRecorder
from petops.lab.kubernetes_subresources import LogLine
from petops.lab.places import Place, Places
from petops.lab.pod_facts import controller_of, set_condition
from petops.lab.pod_status import admitted, container_status, running, terminated
from petops.lab.programs import Behaviours, Program, behaviour_of, dated
from petops.lab.runs import Network, Run
from petops.lab.stage import Stage
from petops.lab.store import Change, Json, key_of

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
    ) -> None:
        self._stage, self._behaviours, self._settle = stage, behaviours, settle
        self._places = Places(stage, events)
        self._endings = Endings(stage, self._places, self._restart, settle)
        self._pulled: set[tuple[str, str]] = set()
        self.started: list[Callable[[Run], None]] = []
        """Called with each run that begins."""
        stage.store.subscribe(self._changed)

    def runs(self) -> Iterator[Run]:
        """Yield the programs that run."""
        return self._places.runs()

    def lines(self, pod: Json, container: str, *, previous: bool) -> Sequence[LogLine] | None:
        """Return what a container wrote in its present run, or in the one that ended last."""
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

    def _changed(self, change: Change) -> None:
        if change.resource != "pods":
            return
        pod, uid = change.now, change.now["metadata"]["uid"]
        if change.kind == "DELETED":
            self._forget(uid)
        elif not pod["spec"].get("nodeName"):
            return
        elif uid not in self._places.of:
            self._admit(pod)
        elif "deletionTimestamp" in pod["metadata"] and uid not in self._places.ending:
            self._places.ending.add(uid)
            self._stage.after(0.05, lambda: self._end(pod))

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
            for place in self._places.of.get(uid, ()):
                self._pull(place)

        self._stage.after(0.05, arrive)

    def _pull(self, place: Place) -> None:
        """Have the image, then create and start the container."""
        image, node = place.spec["image"], place.pod["spec"]["nodeName"]
        always = place.spec.get("imagePullPolicy") == "Always"
        if (node, image) in self._pulled and not always:
            self._places.say(
                place, "Pulled", f'Container image "{image}" already present on machine'
            )
            self._stage.after(0.4, lambda: self._start(place))
            return
        self._places.say(place, "Pulling", f'Pulling image "{image}"')
        seconds = round(self._stage.chance.between(0.4, 0.9, "pull", node, image), 3)
        size = int(self._stage.chance.between(2e7, 9e7, "size", image))

        def pulled() -> None:
            if not self._places.has(place):
                return
            self._pulled.add((node, image))
            took = f"{int(seconds * 1000)}ms ({int(seconds * 1000)}ms including waiting)"
            self._places.say(
                place,
                "Pulled",
                f'Successfully pulled image "{image}" in {took}. Image size: {size} bytes.',
            )
            self._stage.after(0.3, lambda: self._start(place))

        self._stage.after(seconds, pulled)

    def _start(self, place: Place) -> None:
        if not self._places.has(place):
            return
        self._settle()
        before, run = place.run, self._new_run(place)
        place.runs = [*place.runs, run][-_KEPT_RUNS:]
        self._places.say(place, "Created", f"Created container: {place.name}")
        self._places.say(place, "Started", f"Started container {place.name}")
        ready = "readinessProbe" not in place.spec
        run.ready = ready

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
                "started": True,
            }
            if before is not None:
                status["lastState"] = terminated(before)

        self._stage.after(0.2, lambda: self._places.edit(place.pod, write))
        for listener in self.started:
            listener(run)
        if not ready:
            self._probe_from_start(place, run)
        self._endings.look_ahead(place, run)

    def _new_run(self, place: Place) -> Run:
        pod, chance = place.pod, self._stage.chance
        program = Program.of(pod, place.spec, chance, self._stage.now)
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

    def _probe_from_start(self, place: Place, run: Run) -> None:
        """Probe from the start; the first answer comes a moment after the program listens."""
        probe = place.spec["readinessProbe"]
        delay = probe.get("initialDelaySeconds", 0)
        if not run.count and not delay:
            self._stage.after(0.3, lambda: self._say_refused(place, run))
        first = max(delay, run.behaviour.listens_after) + 0.7
        self._stage.after(first, lambda: self._probe(place, run, failures=0))

    def _probe(self, place: Place, run: Run, failures: int) -> None:
        if not run.is_alive or not self._places.has(place):
            return
        probe = place.spec["readinessProbe"]
        answers = run.behaviour.is_ready
        good = answers is None or answers(run.age(self._stage.now))
        failures = 0 if good else failures + 1
        if not good:
            text = "Readiness probe failed: HTTP probe failed with statuscode: 503"
            self._places.say(place, "Unhealthy", text, warning=True)
        if good is not run.ready and (good or failures >= probe["failureThreshold"]):
            self._set_ready(place, run, good)
        if answers is not None:
            self._stage.after(probe["periodSeconds"], lambda: self._probe(place, run, failures))

    def _set_ready(self, place: Place, run: Run, ready: bool) -> None:
        self._settle()
        run.ready = ready
        self._places.edit(
            place.pod, lambda found: container_status(found, place.name).update(ready=ready)
        )

    def _say_refused(self, place: Place, run: Run) -> None:
        if run.is_alive and self._places.has(place) and run.behaviour.listens_after > 0.3:  # noqa: PLR2004
            url = f"{self._places.address(place.pod)}:8080"
            why = f"dial tcp {url}: connect: connection refused"
            text = f'Readiness probe failed: Get "http://{url}/": {why}'
            self._places.say(place, "Unhealthy", text, warning=True)

    def _restart(self, place: Place, ended: Run) -> None:
        if not self._places.has(place) or place.run is not ended:
            return
        place.restarts += 1
        self._pull(place)

    def _end(self, pod: Json) -> None:
        """Stop a pod's programs, within its grace, and take the pod away."""
        uid = pod["metadata"]["uid"]
        grace = pod["metadata"].get("deletionGracePeriodSeconds", 0)
        longest = 0.0
        for place in self._places.of.get(uid, ()):
            if place.run is not None and place.run.is_alive:
                self._places.say(place, "Killing", f"Stopping container {place.name}")
                longest = max(longest, place.run.behaviour.stops_within)

        def gone() -> None:
            found = self._stage.store.find("pods", *key_of(pod))
            if found is not None and found["metadata"]["uid"] == uid:
                self._stage.store.delete("pods", *key_of(pod))

        self._stage.after(min(longest, grace) + 0.4, gone)

    def _forget(self, uid: str) -> None:
        self._settle()
        for place in self._places.of.pop(uid, ()):
            if place.run is not None and place.run.is_alive:
                place.run.ended_at, place.run.ready = self._stage.now, False
        self._places.ending.discard(uid)
