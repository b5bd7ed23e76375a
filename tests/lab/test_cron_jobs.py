"""CronJobs: schedules as cron reads them, what they start, and what they keep."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from petops.lab.cron_schedules import ScheduleError, schedule_of
from tests.lab.hand_clock import Lab

pytestmark = pytest.mark.slow

BATCH = "/apis/batch/v1/namespaces/default"


def cron(name: str, schedule: str, **spec: Any) -> Any:
    pod = {"restartPolicy": "Never", "containers": [{"name": "a", "image": "busybox"}]}
    template = {"spec": {"template": {"spec": pod}}}
    return {
        "metadata": {"name": name},
        "spec": {"schedule": schedule, "jobTemplate": template, **spec},
    }


@pytest.mark.parametrize(
    ("text", "at", "due"),
    [
        ("*/5 * * * *", (2026, 11, 23, 9, 10), True),
        ("*/5 * * * *", (2026, 11, 23, 9, 11), False),
        ("0 3 * * *", (2026, 11, 23, 9, 0), False),
        ("0 3 * * *", (2026, 11, 23, 3, 0), True),
        ("30 8-10/2,17 * * mon-fri", (2026, 11, 23, 10, 30), True),
        ("30 8-10/2,17 * * mon-fri", (2026, 11, 22, 10, 30), False),
        ("0 0 1 * sun", (2026, 11, 22, 0, 0), True),
        ("0 0 1 dec *", (2026, 12, 1, 0, 0), True),
        ("@hourly", (2026, 11, 23, 9, 0), True),
    ],
)
def test_a_schedule_is_due(text: str, at: tuple[int, ...], due: bool) -> None:
    assert schedule_of(text).due(datetime(*at, tzinfo=UTC)) is due  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("bad", "expected exactly 5 fields, found 1: [bad]"),
        ("99 * * * *", "end of range (99) above maximum (59): 99"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("9-3 * * * *", "beginning of range (9) beyond end of range (3): 9-3"),
        ("x * * * *", 'strconv.Atoi: parsing "x": invalid syntax'),
    ],
)
def test_a_schedule_that_cannot_be_read_is_refused(text: str, said: str) -> None:
    with pytest.raises(ScheduleError) as refused:
        schedule_of(text)
    assert said in str(refused.value)
    answer = Lab().ask("POST", f"{BATCH}/cronjobs", cron("bad", text))
    assert answer.status == 422
    assert "spec.schedule: Invalid value" in answer.json()["message"]


def test_a_cron_job_starts_jobs_and_keeps_a_few() -> None:
    lab = Lab()
    made = cron("tick", "* * * * *", successfulJobsHistoryLimit=1)
    assert lab.ask("POST", f"{BATCH}/cronjobs", made).status == 201
    lab.pass_seconds(65)
    (job,) = lab.get(f"{BATCH}/jobs")["items"]
    assert job["spec"]["backoffLimit"] == 6
    (pod,) = lab.get("/api/v1/namespaces/default/pods?labelSelector=job-name")["items"]
    assert pod["metadata"]["labels"]["job-name"] == job["metadata"]["name"]
    assert pod["metadata"]["labels"] == job["spec"]["template"]["metadata"]["labels"]
    lab.pass_seconds(585)
    found = lab.get(f"{BATCH}/cronjobs/tick")["status"]
    done = [one for one in lab.get(f"{BATCH}/jobs")["items"] if one["status"].get("succeeded")]
    assert len(done) == 1
    assert {"lastScheduleTime", "lastSuccessfulTime"} <= set(found)


def test_a_job_of_the_same_name_is_another_job() -> None:
    lab = Lab()
    pod = {"restartPolicy": "Never", "containers": [{"name": "a", "image": "busybox"}]}
    made = {"metadata": {"name": "once"}, "spec": {"template": {"spec": pod}}}
    uids = set()
    for _ in range(2):
        uids.add(lab.ask("POST", f"{BATCH}/jobs", made).json()["metadata"]["uid"])
        lab.ask("DELETE", f"{BATCH}/jobs/once")
        lab.pass_seconds(60)
    assert len(uids) == 2
