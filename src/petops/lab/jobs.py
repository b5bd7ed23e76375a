"""The controller of Jobs."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from petops.lab.event_recorder import EventRecorder
from petops.lab.pod_creation import PodCreation
from petops.lab.pod_facts import OVER, condition, is_active, is_ready
from petops.lab.quantities import moment, stamp
from petops.lab.quotas import ForbiddenError
from petops.lab.replica_sets import EndPod
from petops.lab.stage import CONTROLLERS, Stage
from petops.lab.store import Json, key_of

COMPONENT: Final = "job-controller"
_FIRST_WAIT_SECONDS: Final = 10.0
_LONGEST_WAIT_SECONDS: Final = 600.0
_LIMIT: Final = "BackoffLimitExceeded"
_LATE: Final = "DeadlineExceeded"
_WHY: Final = {
    _LIMIT: "Job has reached the specified backoff limit",
    _LATE: "Job was active longer than specified deadline",
}


class Jobs:
    """Runs pods until enough of them have succeeded, or too many have failed."""

    def __init__(self, stage: Stage, events: EventRecorder, end_pod: EndPod) -> None:
        self._stage, self._events, self._end_pod = stage, events, end_pod
        self._pods = PodCreation(stage, events)
        self._due: set[tuple[str, str, float]] = set()
        self._counted: dict[str, dict[str, str]] = {}
        """By the uid of a Job, how its pods ended: a pod that is gone since still counts."""

    def reconcile(self, namespace: str, name: str) -> None:
        """Move one Job a step on."""
        job = self._stage.store.find("jobs", namespace, name)
        if job is None or "deletionTimestamp" in job["metadata"] or is_over(job):
            if job is not None:
                self._counted.pop(job["metadata"]["uid"], None)
            return
        pods = self._pods.pods_of("jobs", job)
        active = [pod for pod in pods if is_active(pod)]
        done, failures = self._count(job, pods)
        failed = [pod for pod in pods if pod["status"].get("phase") == "Failed"]
        wanted = job["spec"].get("completions", 1)
        reason = self._failure(job, failures, active)
        if reason:
            for pod in active:
                self._end_pod(pod)
            self._write(job, [], done, failures + len(active), reason)
            self._events.controller(COMPONENT, "jobs", job, reason, _WHY[reason], warning=True)
            return
        if done >= wanted:
            self._write(job, active, done, failures, "Complete")
            self._events.controller(COMPONENT, "jobs", job, "Completed", "Job completed")
            return
        if not job["spec"].get("suspend"):
            active += self._filled(job, failed, len(active), wanted - done)
        self._write(job, active, done, failures, "")

    def _count(self, job: Json, pods: list[Json]) -> tuple[int, int]:
        """Return how many pods have succeeded and failed; one that is deleted has failed."""
        counted = self._counted.setdefault(job["metadata"]["uid"], {})
        for pod in pods:
            phase = pod["status"].get("phase", "")
            if phase in OVER:
                counted.setdefault(pod["metadata"]["uid"], phase)
            elif "deletionTimestamp" in pod["metadata"]:
                counted.setdefault(pod["metadata"]["uid"], "Failed")
        ends = list(counted.values())
        return ends.count("Succeeded"), ends.count("Failed")

    def _filled(self, job: Json, failed: list[Json], active: int, left: int) -> list[Json]:
        """Make the pods that are missing, after a pause if the last one failed."""
        missing = min(job["spec"].get("parallelism", 1), left) - active
        if missing <= 0:
            return []
        if failed:
            wait = min(_FIRST_WAIT_SECONDS * 2 ** (len(failed) - 1), _LONGEST_WAIT_SECONDS)
            last = max(moment(_ended(pod, stamp(self._stage.now))) for pod in failed)
            rest = (last + timedelta(seconds=wait) - self._stage.now).total_seconds()
            if rest > 0:
                self._again(job, rest)
                return []
        try:
            return [self._pods.create(COMPONENT, "jobs", job) for _ in range(missing)]
        except ForbiddenError:
            self._again(job, _FIRST_WAIT_SECONDS)
            return []

    def _failure(self, job: Json, failures: int, active: list[Json]) -> str:
        restarts = sum(
            one["restartCount"]
            for pod in active
            for one in pod["status"].get("containerStatuses") or ()
        )
        if failures + restarts > job["spec"].get("backoffLimit", 6):
            return _LIMIT
        seconds = job["spec"].get("activeDeadlineSeconds")
        started = (job.get("status") or {}).get("startTime")
        if seconds is not None and started:
            rest = (moment(started) + timedelta(seconds=seconds) - self._stage.now).total_seconds()
            if rest <= 0:
                return _LATE
            self._again(job, rest)
        return ""

    def _again(self, job: Json, seconds: float) -> None:
        key = key_of(job)
        due = (*key, round((self._stage.now + timedelta(seconds=seconds)).timestamp(), 1))
        if due in self._due:
            return
        self._due.add(due)

        def run() -> None:
            self._due.discard(due)
            self.reconcile(*key)

        self._stage.after(seconds, run)

    def _write(self, job: Json, active: list[Json], done: int, failed: int, ends: str) -> None:
        at = stamp(self._stage.now)
        before = job.get("status") or {}
        status: Json = {"startTime": before.get("startTime", at)}
        counts = {
            "active": len(active),
            "ready": sum(map(is_ready, active)),
            "succeeded": done,
            "failed": failed,
            "terminating": 0,
        }
        always = {"ready", "terminating"}
        status |= {name: count for name, count in counts.items() if count or name in always}
        status["uncountedTerminatedPods"] = {}
        if ends == "Complete":
            status["completionTime"] = at
            text = "Reached expected number of succeeded pods"
            status["conditions"] = [
                _condition(kind, "CompletionsReached", text, at)
                for kind in ("SuccessCriteriaMet", "Complete")
            ]
        elif ends:
            status["conditions"] = [
                _condition(kind, ends, _WHY[ends], at) for kind in ("FailureTarget", "Failed")
            ]
        self._stage.write_status(CONTROLLERS, "jobs", key_of(job), status)


def is_over(job: Json) -> bool:
    """Say whether a Job has ended, well or badly."""
    return any(
        (found := condition(job, kind)) is not None and found["status"] == "True"
        for kind in ("Complete", "Failed")
    )


def _ended(pod: Json, otherwise: str) -> str:
    ends = [
        str(one["state"]["terminated"]["finishedAt"])
        for one in pod["status"].get("containerStatuses") or ()
        if (one.get("state") or {}).get("terminated", {}).get("finishedAt")
    ]
    return max(ends, default=otherwise)


def _condition(kind: str, reason: str, message: str, at: str) -> Json:
    return {
        "type": kind,
        "status": "True",
        "lastProbeTime": at,
        "lastTransitionTime": at,
        "reason": reason,
        "message": message,
    }
