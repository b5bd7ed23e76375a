"""A pod's status as a kubelet writes it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from petops.lab.pod_facts import set_condition
from petops.lab.quantities import stamp
from petops.lab.runs import Run
from petops.lab.store import Json, clone

CREATING: Final = "ContainerCreating"
_ORDER: Final = (
    "PodReadyToStartContainers",
    "Initialized",
    "Ready",
    "ContainersReady",
    "PodScheduled",
)


def waiting(reason: str, message: str = "") -> Json:
    """Return the state of a container that waits."""
    return {"waiting": {"reason": reason, "message": message} if message else {"reason": reason}}


def running(run: Run) -> Json:
    """Return the state of a container that runs."""
    return {"running": {"startedAt": stamp(run.started_at)}}


def terminated(run: Run) -> Json:
    """Return the state of a container that has ended."""
    return {
        "terminated": {
            "exitCode": run.exit_code,
            "reason": run.reason,
            "startedAt": stamp(run.started_at),
            "finishedAt": stamp(run.ended_at or run.started_at),
            "containerID": f"containerd://{run.container_id}",
        }
    }


def admitted(pod: Json, host: str, now: datetime) -> None:
    """Write the status of a pod that has reached its node."""
    set_condition(pod, "PodReadyToStartContainers", now, holds=False)
    set_condition(pod, "Initialized", now, holds=True)
    status = pod["status"]
    status |= {
        "phase": "Pending",
        "hostIP": host,
        "hostIPs": [{"ip": host}],
        "startTime": stamp(now),
    }
    status["containerStatuses"] = [
        {
            "name": container["name"],
            "state": waiting(CREATING),
            "lastState": {},
            "ready": False,
            "restartCount": 0,
            "image": container["image"],
            "imageID": "",
            "started": False,
        }
        for container in pod["spec"]["containers"]
    ]
    conclude(pod, now)


def container_status(pod: Json, name: str) -> Json:
    """Return the part of a status that is about one container."""
    statuses: list[Json] = pod["status"]["containerStatuses"]
    return next(one for one in statuses if one["name"] == name)


def conclude(pod: Json, now: datetime) -> None:
    """Derive phase, Ready and ContainersReady from the containers' states."""
    statuses = pod["status"]["containerStatuses"]
    unready = [one["name"] for one in statuses if not one["ready"]]
    ended = [one["state"].get("terminated") for one in statuses]
    if all(ended) and pod["spec"].get("restartPolicy") == "Never":
        failed = any(one["exitCode"] for one in ended if one)
        pod["status"]["phase"] = "Failed" if failed else "Succeeded"
    elif any(
        "running" in one["state"] or one["lastState"] or one["state"].get("terminated")
        for one in statuses
    ):
        pod["status"]["phase"] = "Running"
    reason = "ContainersNotReady" if unready else ""
    message = f"containers with unready status: [{' '.join(unready)}]" if unready else ""
    for kind in ("Ready", "ContainersReady"):
        set_condition(pod, kind, now, holds=not unready, reason=reason, message=message)
    order = _ORDER
    pod["status"]["conditions"].sort(
        key=lambda one: order.index(one["type"]) if one["type"] in order else len(order)
    )


def failed(pod: Json, now: datetime, reason: str, message: str, states: Mapping[str, Json]) -> None:
    """Write the status of a pod that its kubelet ended for good, and why."""
    for status in pod["status"]["containerStatuses"]:
        state = states[status["name"]]
        status |= {"state": clone(state), "ready": False, "started": False}
        if "containerID" not in state["terminated"]:
            status["imageID"] = ""
            status.pop("containerID", None)
    pod["status"] |= {"phase": "Failed", "message": message, "reason": reason}
    set_condition(
        pod, "DisruptionTarget", now, holds=True, reason="TerminationByKubelet", message=message
    )
    over(pod, now, "PodFailed")
    if not any("containerID" in one["terminated"] for one in states.values()):
        return
    for name in ("podIP", "podIPs"):
        pod["status"].pop(name, None)


def over(pod: Json, now: datetime, reason: str) -> None:
    """Write the conditions of a pod whose containers have all ended for good."""
    set_condition(pod, "PodReadyToStartContainers", now, holds=False)
    for kind in ("Ready", "ContainersReady"):
        set_condition(pod, kind, now, holds=False, reason=reason)
    _sort(pod)


def _sort(pod: Json) -> None:
    pod["status"]["conditions"].sort(
        key=lambda one: _ORDER.index(one["type"]) if one["type"] in _ORDER else -1
    )


def go_duration(seconds: int) -> str:
    """Return a duration as Go prints it: `10s`, `1m20s`, `5m0s`."""
    minutes, rest = divmod(seconds, 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
