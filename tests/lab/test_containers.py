"""A leaking container's life is the recorded one's: kills, restarts, back-off, and what says so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from petops.lab.quantities import moment
from petops.lab.store import Change
from tests.lab.hand_clock import DEPLOYMENTS, PODS, Lab

pytestmark = pytest.mark.slow

OOMKILL = Path(__file__).parent.parent / "recordings" / "oomkill"
EVENTS = "/api/v1/namespaces/default/events"


def phases(pods: Iterator[Any]) -> list[tuple[Any, ...]]:
    """What a container's status says, in order, each once."""
    found: list[tuple[Any, ...]] = []
    for pod in pods:
        (status,) = pod["status"]["containerStatuses"]
        ((state, detail),) = status["state"].items()
        last = (status["lastState"].get("terminated") or {}).get("reason")
        now = (state, detail.get("reason"), last, status["restartCount"], status["ready"])
        if not found or found[-1] != now:
            found.append(now)
    return found


def recorded_phases() -> list[tuple[Any, ...]]:
    lines = (OOMKILL / "watch-pods.jsonl").read_text().splitlines()
    objects = (json.loads(line)["object"] for line in lines)
    return phases(one for one in objects if one["metadata"].get("name", "").endswith("dhxfs"))


def watched_leak(seconds: float) -> tuple[Lab, list[Any]]:
    lab = Lab()
    told: list[Change] = []
    lab.world.store.subscribe(told.append)
    lab.inject_leak()
    lab.pass_seconds(seconds)
    pods = [one.now for one in told if one.resource == "pods" and one.kind != "DELETED"]
    return lab, [pod for pod in pods if "containerStatuses" in pod["status"]]


def test_the_life_of_a_leaking_container_is_as_recorded() -> None:
    _, pods = watched_leak(230)
    lived = phases(iter(pods))
    expected = recorded_phases()
    start = lived.index(expected[0])
    assert len(expected) > 8
    assert lived[start : start + len(expected)] == expected


@pytest.mark.slow
def test_the_kill_comes_about_fifty_five_seconds_after_the_start() -> None:
    lab, _ = watched_leak(70)
    (status,) = lab.leaking()["status"]["containerStatuses"]
    end = status["lastState"]["terminated"]
    lived = moment(end["finishedAt"]) - moment(end["startedAt"])
    assert timedelta(seconds=50) <= lived <= timedelta(seconds=60)
    assert (end["reason"], end["exitCode"]) == ("OOMKilled", 137)
    recorded = json.loads((OOMKILL / "pods.json").read_text())["items"][0]["status"]
    assert set(end) == set(recorded["containerStatuses"][0]["lastState"]["terminated"])
    assert set(status) == set(recorded["containerStatuses"][0])


def test_no_event_speaks_of_the_kill_and_back_off_warns() -> None:
    lab, _ = watched_leak(240)
    name = lab.leaking()["metadata"]["name"]
    found = lab.get(f"{EVENTS}?fieldSelector=involvedObject.name={name}")["items"]
    reasons = {one["reason"]: one for one in found}
    assert "OOMKilling" not in reasons
    assert set(reasons) >= {"Scheduled", "Pulled", "Created", "Started", "BackOff"}
    back_off = reasons["BackOff"]
    assert (back_off["type"], back_off["count"] > 2) == ("Warning", True)
    recorded = json.loads((OOMKILL / "events.json").read_text())["items"]
    for reason in ("Scheduled", "Created", "BackOff"):
        expected = next(one for one in recorded if one["reason"] == reason)
        shown = {key: sorted(value) if isinstance(value, dict) else type(value)
                 for key, value in reasons[reason].items() if key != "metadata"}  # fmt: skip
        assert shown == {key: sorted(value) if isinstance(value, dict) else type(value)
                         for key, value in expected.items() if key != "metadata"}  # fmt: skip


def test_back_off_doubles() -> None:
    lab = Lab()
    lab.inject_leak()
    seen: list[str] = []
    for _ in range(500):
        lab.pass_seconds(1)
        pods = lab.pods("petadoptionshistory-py", "injector")
        waiting = (
            pods[0]["status"].get("containerStatuses", [{}])[0].get("state", {}).get("waiting", {})
        )
        text = waiting.get("message", "").partition(" restarting")[0].removeprefix("back-off ")
        if text and (not seen or seen[-1] != text):
            seen.append(text)
    assert seen == ["10s", "20s", "40s", "1m20s"]


@pytest.mark.slow
def test_the_leak_ends_with_its_time_limit() -> None:
    lab = Lab()
    lab.inject_leak()
    lab.pass_seconds(1300)
    (status,) = lab.leaking()["status"]["containerStatuses"]
    assert "running" in status["state"]
    restarts = status["restartCount"]
    lab.pass_seconds(600)
    (status,) = lab.leaking()["status"]["containerStatuses"]
    assert status["restartCount"] == restarts
    (usage,) = [one for one in lab.world.usage() if "leak" in one.pod]
    assert usage.memory_rss_bytes < 40 * 1024**2


@pytest.mark.slow
def test_nothing_else_leaks() -> None:
    lab = Lab()
    lab.inject_leak()
    lab.pass_seconds(600)
    others = [pod for pod in lab.get(PODS)["items"] if "leak" not in pod["metadata"]["name"]]
    assert len(others) == 11
    assert all(one["status"]["containerStatuses"][0]["restartCount"] == 0 for one in others)


def test_any_program_leaks_when_its_environment_says_so() -> None:
    lab = Lab()
    variable = {"name": "LEAK_MIB_PER_SECOND", "value": "10"}
    containers = [{"name": "petadoptionshistory-py", "env": [variable]}]
    patch = {"spec": {"template": {"spec": {"containers": containers}}}}
    url = f"{DEPLOYMENTS}/petadoptionshistory-py"
    lab.patch(url, patch, "application/strategic-merge-patch+json")
    lab.pass_seconds(60)
    restarts = [
        pod["status"]["containerStatuses"][0]["restartCount"]
        for pod in lab.pods("petadoptionshistory-py")
    ]
    assert all(restarts)


def test_a_pod_goes_with_grace() -> None:
    lab = Lab()
    pod = lab.pods("petsite")[0]["metadata"]["name"]
    gone = lab.ask("DELETE", f"{PODS}/{pod}").json()
    assert gone["metadata"]["deletionGracePeriodSeconds"] == 30
    assert gone["metadata"]["deletionTimestamp"] == "2026-11-23T09:00:30Z"
    assert lab.ask("GET", f"{PODS}/{pod}").status == 200
    lab.pass_seconds(3)
    assert lab.ask("GET", f"{PODS}/{pod}").status == 404
    lab.pass_seconds(3)
    assert len(lab.pods("petsite")) == 2


def test_a_pod_goes_at_once_without_grace() -> None:
    lab = Lab()
    pod = lab.pods("petsite")[0]["metadata"]["name"]
    lab.ask("DELETE", f"{PODS}/{pod}?gracePeriodSeconds=0")
    assert lab.ask("GET", f"{PODS}/{pod}").status == 404


def test_logs_of_this_run_and_of_the_one_before() -> None:
    lab, _ = watched_leak(80)
    name = lab.leaking()["metadata"]["name"]
    now = lab.ask("GET", f"{PODS}/{name}/log?timestamps=true")
    before = lab.ask("GET", f"{PODS}/{name}/log?previous=true&tailLines=1&timestamps=true")
    assert isinstance(now.body, bytes)
    assert isinstance(before.body, bytes)
    assert b'"msg": "starting"' in now.body.splitlines()[0]
    assert len(before.body.splitlines()) == 1
    assert before.body.split()[0] < now.body.split()[0]
    recent = lab.ask("GET", f"{PODS}/{name}/log?sinceSeconds=6")
    assert isinstance(recent.body, bytes)
    assert len(recent.body.splitlines()) <= 2


def test_the_service_sends_traffic_to_the_injector_only_while_it_is_ready() -> None:
    lab, _ = watched_leak(30)
    url = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
    selector = "labelSelector=kubernetes.io/service-name=petadoptionshistory-py"
    (found,) = lab.get(f"{url}?{selector}")["items"]
    assert [one["conditions"]["ready"] for one in found["endpoints"]] == [True, True, True]
    mine = [one for one in lab.world.traffic() if "leak" in one.pod]
    assert mine[0].requests_total > 10
    lab.pass_seconds(29.6)
    (found,) = lab.get(f"{url}?{selector}")["items"]
    assert sum(one["conditions"]["ready"] for one in found["endpoints"]) == 2
