"""How a container's program ends by itself, and when it is started again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from petops.lab.places import Place, Places
from petops.lab.pod_status import container_status, go_duration, over, terminated, waiting
from petops.lab.runs import Run
from petops.lab.stage import Stage
from petops.lab.store import Json, key_of

OUT_OF_MEMORY: Final = "OOMKilled"
_KILLED: Final = 137
_LOOK_AHEAD_SECONDS: Final = 10.0
_LOOK_STEP_SECONDS: Final = 0.25
_NOTICED_SECONDS: Final = 0.7
_FIRST_BACK_OFF_SECONDS: Final = 10
_LONGEST_BACK_OFF_SECONDS: Final = 300
_FORGIVEN_AFTER_SECONDS: Final = 600.0
_BACK_OFF_EVENT_SECONDS: Final = 12.0

Restart = Callable[[Place, Run], None]


class Endings:
    """Watches programs for their end; `restart` begins the next run after one."""

    def __init__(
        self, stage: Stage, places: Places, restart: Restart, settle: Callable[[], None]
    ) -> None:
        self._stage, self._places, self._restart, self._settle = stage, places, restart, settle

    def look_ahead(self, place: Place, run: Run) -> None:
        """Find out whether the program will end within the next seconds, and when."""
        if not run.is_alive:
            return
        behaviour, limit = run.behaviour, run.program.memory_limit_bytes
        bounded = limit is None or behaviour.most_bytes < limit
        age = run.age(self._stage.now)
        exits = behaviour.exits_after
        if bounded and exits is None:
            return
        if exits is not None and exits <= age + _LOOK_AHEAD_SECONDS:
            reason = "Error" if behaviour.exit_code else "Completed"
            code = behaviour.exit_code
            self._stage.after(max(exits - age, 0.0), lambda: self._stop(place, run, reason, code))
            return
        steps = int(_LOOK_AHEAD_SECONDS / _LOOK_STEP_SECONDS)
        for step in range(steps if not bounded else 0):
            ahead = step * _LOOK_STEP_SECONDS
            if limit is not None and behaviour.working_set_bytes(age + ahead, limit) >= limit:
                self._stage.after(ahead, lambda: self._stop(place, run, OUT_OF_MEMORY, _KILLED))
                return
        self._stage.after(_LOOK_AHEAD_SECONDS, lambda: self.look_ahead(place, run))

    def kill(self, place: Place, run: Run) -> None:
        """End a program that failed its probes."""
        self._stop(place, run, "Error", _KILLED)

    def end_pod(self, pod: Json) -> None:
        """Stop a pod's programs, within its grace, and take the pod away."""
        uid = pod["metadata"]["uid"]
        if pod["spec"]["nodeName"] in self._places.silent:
            self._places.ending.discard(uid)  # the kubelet will see to it once it is back
            return
        grace = pod["metadata"].get("deletionGracePeriodSeconds", 0)
        longest = 0.0
        for place in self._places.of.get(uid, ()):
            if place.run is not None and place.run.is_alive:
                self._places.say(place, "Killing", f"Stopping container {place.name}")
                longest = max(longest, place.run.behaviour.stops_within)
        self._stage.after(min(longest, grace), lambda: self._stopped(pod, grace))

    def _stopped(self, pod: Json, grace: float) -> None:
        """A pod's programs have ended by themselves, or were killed when the grace was over."""
        self._settle()
        for place in self._places.of.get(pod["metadata"]["uid"], ()):
            run = place.run
            if run is not None and run.is_alive:
                late = run.behaviour.stops_within > grace
                run.exit_code = _KILLED if late else 0
                run.reason = "Error" if late else "Completed"
                run.ended_at, run.ready = self._stage.now, False

        def write(found: Json) -> None:
            for place in self._places.of.get(pod["metadata"]["uid"], ()):
                if place.run is not None:
                    status = container_status(found, place.name)
                    status |= {"state": terminated(place.run), "ready": False, "started": False}
            ended = [one["state"].get("terminated") for one in found["status"]["containerStatuses"]]
            if all(ended):
                bad = any(one["exitCode"] for one in ended if one)
                found["status"]["phase"] = "Failed" if bad else "Succeeded"
                over(found, self._stage.now, "PodFailed" if bad else "PodCompleted")

        def gone() -> None:
            found = self._stage.store.find("pods", *key_of(pod))
            if found is not None and found["metadata"]["uid"] == pod["metadata"]["uid"]:
                self._stage.store.delete("pods", *key_of(pod))

        self._stage.after(0.2, lambda: self._places.edit(pod, write, conclude_after=False))
        self._stage.after(0.4, gone)

    def _stop(self, place: Place, run: Run, reason: str, code: int) -> None:
        """A program ended; the kubelet notices a little later."""
        if not run.is_alive:
            return
        self._settle()
        run.ended_at, run.reason, run.exit_code, run.ready = self._stage.now, reason, code, False
        lasted = run.age(self._stage.now)
        place.crashes = 1 if lasted > _FORGIVEN_AFTER_SECONDS else place.crashes + 1
        self._stage.after(_NOTICED_SECONDS, lambda: self.notice(place, run))

    def notice(self, place: Place, run: Run) -> None:
        """Write down that a program has ended, and see to the next run."""
        if not self._places.has(place):
            return

        def write(found: Json) -> None:
            status = container_status(found, place.name)
            status |= {"state": terminated(run), "ready": False, "started": False}

        self._places.edit(place.pod, write)
        policy = place.pod["spec"].get("restartPolicy")
        if policy == "Never" or (policy == "OnFailure" and not run.exit_code):
            return
        if place.crashes == 1:
            self._stage.after(0.2, lambda: self._restart(place, run))
            return
        seconds = min(_FIRST_BACK_OFF_SECONDS * 2 ** (place.crashes - 2), _LONGEST_BACK_OFF_SECONDS)
        self._back_off(place, run, seconds)
        late = self._stage.chance.between(2, 6, "back-off", run.container_id)
        ended = run.ended_at or self._stage.now
        self._stage.at(ended + timedelta(seconds=seconds + late), lambda: self._restart(place, run))

    def _back_off(self, place: Place, run: Run, seconds: int) -> None:
        namespace, name = key_of(place.pod)
        uid = place.pod["metadata"]["uid"]
        message = (
            f"back-off {go_duration(seconds)} restarting failed container={place.name} "
            f"pod={name}_{namespace}({uid})"
        )

        def write(found: Json) -> None:
            status = container_status(found, place.name)
            status |= {"state": waiting("CrashLoopBackOff", message), "lastState": terminated(run)}

        def wait() -> None:
            if self._places.has(place) and place.run is run:
                self._places.edit(place.pod, write)

        self._say_back_off(place, run)
        self._stage.after(1.5, wait)

    def _say_back_off(self, place: Place, run: Run) -> None:
        """The same event again and again for as long as the container waits."""
        if not self._places.has(place) or place.run is not run:
            return
        namespace, name = key_of(place.pod)
        uid = place.pod["metadata"]["uid"]
        text = f"Back-off restarting failed container {place.name} in pod {name}_{namespace}({uid})"
        self._places.say(place, "BackOff", text, warning=True)
        self._stage.after(_BACK_OFF_EVENT_SECONDS, lambda: self._say_back_off(place, run))
