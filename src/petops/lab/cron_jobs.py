"""The controller of CronJobs."""

from __future__ import annotations

from datetime import timedelta

from petops.lab.cron_schedules import ScheduleError, schedule_of, zone_of
from petops.lab.defaults import fill_in
from petops.lab.event_recorder import EventRecorder
from petops.lab.jobs import is_over
from petops.lab.pod_facts import condition, controller_of, owner_reference
from petops.lab.quantities import stamp
from petops.lab.stage import CONTROLLERS, Stage
from petops.lab.store import Json, clone, key_of


class CronJobs:
    """Starts Jobs by their schedules, and deletes old ones."""

    def __init__(self, stage: Stage, events: EventRecorder) -> None:
        self._stage, self._events = stage, events
        self._waiting: set[tuple[str, str]] = set()

    def reconcile(self, namespace: str, name: str) -> None:
        """Wait for a CronJob's next minute."""
        key = (namespace, name)
        found = self._stage.store.find("cronjobs", *key)
        if found is None:
            return
        self._clean_up(found)
        self._write_status(found)
        if key in self._waiting:
            return
        self._waiting.add(key)
        now = self._stage.now
        minute = now.replace(second=0, microsecond=0) + timedelta(minutes=1)
        self._stage.at(minute, lambda: self._due(key))

    def _due(self, key: tuple[str, str]) -> None:
        self._waiting.discard(key)
        found = self._stage.store.find("cronjobs", *key)
        if found is None:
            return
        if not found["spec"].get("suspend") and self._is_meant(found):
            self._start(found)
        self.reconcile(*key)

    def _is_meant(self, found: Json) -> bool:
        try:
            at = self._stage.now.astimezone(zone_of(found["spec"].get("timeZone") or "UTC"))
            return schedule_of(str(found["spec"].get("schedule"))).due(at)
        except ScheduleError:
            return False

    def _jobs(self, found: Json) -> list[Json]:
        """Return a CronJob's Jobs, oldest first."""
        namespace, uid = found["metadata"]["namespace"], found["metadata"]["uid"]
        return sorted(
            (
                job
                for job in self._stage.store.objects("jobs", namespace)
                if (controller_of(job) or {}).get("uid") == uid
            ),
            key=lambda job: (job["metadata"]["creationTimestamp"], job["metadata"]["name"]),
        )

    def _start(self, found: Json) -> None:
        store, (namespace, cron) = self._stage.store, key_of(found)
        active = [job for job in self._jobs(found) if not is_over(job)]
        policy = found["spec"].get("concurrencyPolicy", "Allow")
        if active and policy == "Forbid":
            why = f"prior execution is running and concurrency policy is {policy}"
            self._say(found, "JobAlreadyActive", f"Not starting job because {why}")
            return
        for job in active if policy == "Replace" else ():
            store.delete("jobs", *key_of(job))
            self._say(found, "SuccessfulDelete", f"Deleted job {job['metadata']['name']}")
        name = f"{cron}-{int(self._stage.now.timestamp() // 60)}"
        if store.find("jobs", namespace, name) is not None:
            return
        template = found["spec"].get("jobTemplate") or {}
        kept = template.get("metadata") or {}
        metadata = {
            **{field: kept[field] for field in ("labels", "annotations") if field in kept},
            "name": name,
            "namespace": namespace,
            "ownerReferences": [owner_reference("batch/v1", "CronJob", found)],
        }
        made = clone({"metadata": metadata, "spec": template.get("spec") or {}})
        metadata["annotations"] = {
            **(metadata.get("annotations") or {}),
            "batch.kubernetes.io/cronjob-scheduled-timestamp": stamp(self._stage.now),
        }
        made["metadata"] = {**metadata, "uid": store.next_uid("jobs", made)}
        fill_in("jobs", made, self._stage.chance)
        self._stage.create(CONTROLLERS, "jobs", made)
        self._say(found, "SuccessfulCreate", f"Created job {name}")
        self._clean_up(found)
        self._write_status(found, started=True)

    def _say(self, found: Json, reason: str, text: str) -> None:
        self._events.controller("cronjob-controller", "cronjobs", found, reason, text)

    def _clean_up(self, found: Json) -> None:
        """Keep as many Jobs that succeeded and failed as the history has room for."""
        over = [job for job in self._jobs(found) if is_over(job)]
        for kind, field in (
            ("Complete", "successfulJobsHistoryLimit"),
            ("Failed", "failedJobsHistoryLimit"),
        ):
            ended = [job for job in over if condition(job, kind) is not None]
            for job in ended[: max(len(ended) - int(found["spec"].get(field, 1)), 0)]:
                self._stage.store.delete("jobs", *key_of(job))
                self._say(found, "SuccessfulDelete", f"Deleted job {job['metadata']['name']}")

    def _write_status(self, found: Json, *, started: bool = False) -> None:
        now = self._stage.store.find("cronjobs", *key_of(found))
        if now is None:
            return
        status = dict(now.get("status") or {})
        if started:
            status["lastScheduleTime"] = stamp(self._stage.now)
        jobs = self._jobs(now)
        ends = [
            str(job["status"]["completionTime"])
            for job in jobs
            if (job.get("status") or {}).get("completionTime")
        ]
        if ends:
            status["lastSuccessfulTime"] = max([*ends, status.get("lastSuccessfulTime", "")])
        status.pop("active", None)
        active = [_reference(job) for job in jobs if not is_over(job)]
        if active:
            status["active"] = active
        self._stage.write_status(CONTROLLERS, "cronjobs", key_of(now), status)


def _reference(job: Json) -> Json:
    metadata = job["metadata"]
    return {
        "kind": "Job",
        "apiVersion": "batch/v1",
        **{name: metadata[name] for name in ("namespace", "name", "uid", "resourceVersion")},
    }
