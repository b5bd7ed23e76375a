"""Probes: readiness decides about traffic, liveness and startup about the container's life.

A program that always answers needs no looking: a probe is only simulated while it may fail.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from petops.lab.places import Place, Places
from petops.lab.pod_status import container_status
from petops.lab.runs import Run
from petops.lab.stage import Stage
from petops.lab.store import Json

_PORT: Final = 8080
_AT_ONCE_SECONDS: Final = 0.3
_AFTER_LISTENING_SECONDS: Final = 0.7
_STATUS: Final = "HTTP probe failed with statuscode: 503"

Kill = Callable[[Place, Run], None]


class Probes:
    """Probes the programs of all nodes; `kill` ends one that fails for too long."""

    def __init__(
        self, stage: Stage, places: Places, settle: Callable[[], None], kill: Kill
    ) -> None:
        self._stage, self._places, self._settle, self._kill = stage, places, settle, kill

    def begin(self, place: Place, run: Run) -> None:
        """Probe a run that has just started, or that its kubelet has found again."""
        if "startupProbe" in place.spec and not run.ready:
            self._starting(place, run, failures=0)
        else:
            self._started(place, run)

    def _started(self, place: Place, run: Run) -> None:
        """Begin with what waits for the start."""
        if "readinessProbe" in place.spec:
            self._readiness_from_start(place, run)
        elif not run.ready:
            self._set_ready(place, run, ready=True)
        if "livenessProbe" in place.spec:
            delay = place.spec["livenessProbe"].get("initialDelaySeconds", 0)
            self._stage.after(max(delay, 1.0), lambda: self._alive(place, run, failures=0))

    def _starting(self, place: Place, run: Run, failures: int) -> None:
        if not self._goes_on(place, run):
            return
        probe = place.spec["startupProbe"]
        why = self._failure(place, run, "startupProbe")
        if why is None:
            self._places.edit(
                place.pod, lambda found: container_status(found, place.name).update(started=True)
            )
            self._started(place, run)
            return
        self._say(place, "Startup", why)
        if failures + 1 >= probe["failureThreshold"]:
            self._end(place, run, "startup")
            return
        self._stage.after(probe["periodSeconds"], lambda: self._starting(place, run, failures + 1))

    def _alive(self, place: Place, run: Run, failures: int) -> None:
        if not self._goes_on(place, run):
            return
        probe = place.spec["livenessProbe"]
        why = self._failure(place, run, "livenessProbe")
        if why is None and run.behaviour.is_live is None:
            return
        failures = failures + 1 if why else 0
        if why:
            self._say(place, "Liveness", why)
        if failures >= probe["failureThreshold"]:
            self._end(place, run, "liveness")
            return
        self._stage.after(probe["periodSeconds"], lambda: self._alive(place, run, failures))

    def _end(self, place: Place, run: Run, kind: str) -> None:
        text = f"Container {place.name} failed {kind} probe, will be restarted"
        self._places.say(place, "Killing", text)
        grace = place.pod["spec"].get("terminationGracePeriodSeconds", 30)
        seconds = min(run.behaviour.stops_within, grace)
        self._stage.after(seconds, lambda: self._kill(place, run))

    def _readiness_from_start(self, place: Place, run: Run) -> None:
        """Probe from the start; the first answer comes a moment after the program listens."""
        delay = place.spec["readinessProbe"].get("initialDelaySeconds", 0)
        if not run.count and not delay:
            self._stage.after(_AT_ONCE_SECONDS, lambda: self._say_refused(place, run))
        listens = run.behaviour.listens_after - run.age(self._stage.now)
        first = max(delay, listens, 0.0) + _AFTER_LISTENING_SECONDS
        self._stage.after(first, lambda: self._readiness(place, run, failures=0))

    def _readiness(self, place: Place, run: Run, failures: int) -> None:
        if not self._goes_on(place, run):
            return
        probe = place.spec["readinessProbe"]
        why = self._failure(place, run, "readinessProbe")
        good = why is None
        failures = 0 if good else failures + 1
        if why:
            self._say(place, "Readiness", why)
        if good is not run.ready and (good or failures >= probe["failureThreshold"]):
            self._set_ready(place, run, ready=good)
        if not good or run.behaviour.is_ready is not None:
            self._stage.after(probe["periodSeconds"], lambda: self._readiness(place, run, failures))

    def _set_ready(self, place: Place, run: Run, *, ready: bool) -> None:
        self._settle()
        run.ready = ready
        self._places.edit(
            place.pod, lambda found: container_status(found, place.name).update(ready=ready)
        )

    def _goes_on(self, place: Place, run: Run) -> bool:
        return run.is_alive and place.run is run and self._places.has(place)

    def _say_refused(self, place: Place, run: Run) -> None:
        if self._goes_on(place, run) and run.behaviour.listens_after > _AT_ONCE_SECONDS:
            self._say(place, "Readiness", self._refused(place, place.spec["readinessProbe"]))

    def _say(self, place: Place, kind: str, why: str) -> None:
        self._places.say(place, "Unhealthy", f"{kind} probe failed: {why}", warning=True)

    def _failure(self, place: Place, run: Run, kind: str) -> str | None:
        """Return what is wrong with an answer; None if nothing is."""
        probe, age = place.spec[kind], run.age(self._stage.now)
        listens = age >= run.behaviour.listens_after and listens_at(place.spec, _port(probe))
        if "exec" not in probe and not listens:
            return self._refused(place, probe)
        answers = run.behaviour.is_ready if kind == "readinessProbe" else run.behaviour.is_live
        return None if answers is None or answers(age) else _STATUS

    def _refused(self, place: Place, probe: Json) -> str:
        address = f"{self._places.address(place.pod)}:{_number(place.spec, _port(probe))}"
        why = f"dial tcp {address}: connect: connection refused"
        if "httpGet" not in probe:
            return why
        return f'Get "http://{address}{probe["httpGet"].get("path", "/")}": {why}'


def _port(probe: Json) -> object:
    return (probe.get("httpGet") or probe.get("tcpSocket") or probe.get("grpc") or {}).get("port")


def _number(container: Json, port: object) -> object:
    """Return a port's number; the usual one where its name leads nowhere."""
    if isinstance(port, int):
        return port
    ports = container.get("ports") or ()
    return next((one["containerPort"] for one in ports if one.get("name") == port), _PORT)


def listens_at(container: Json, port: object) -> bool:
    """Say whether a program listens there: at its declared ports, at any if it declares none."""
    ports = container.get("ports") or ()
    if not ports or port is None:
        return True
    return any(port in {one.get("name"), one.get("containerPort")} for one in ports)


def health_paths(pod: Json) -> tuple[frozenset[str], frozenset[str]]:
    """Return the paths that a pod's probes ask for: of readiness, and of liveness or start."""

    def asked(*kinds: str) -> frozenset[str]:
        probes = (one.get(kind) or {} for one in pod["spec"]["containers"] for kind in kinds)
        return frozenset(
            str((probe["httpGet"]).get("path", "/")) for probe in probes if "httpGet" in probe
        )

    return asked("readinessProbe"), asked("livenessProbe", "startupProbe")
