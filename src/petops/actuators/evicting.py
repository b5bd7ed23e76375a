"""Evictions through the Eviction API, each of one pod by its uid, and draining made of them.

Where it stands is read from the cluster at each step: so it goes on where it was, and no pod is
evicted twice. A wrong uid would still use up a budget, so that the pod is looked at just before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from petops.actuators.patching import CONFLICT, MANAGER, failure_of, read_at
from petops.domain.change import DrainNode, EvictPod, PodTarget, Progress
from petops.errors import NotThereError, OutcomeUnknownError
from petops.ports import ApiAnswer, KubernetesCalls

Json = Any

_BLOCKED: Final = 429
_GONE: Final = 404


def pod_path(pod: PodTarget) -> str:
    """Return the path of a pod in the Kubernetes API."""
    return f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}"


def the_pod(change: EvictPod) -> PodTarget:
    """Return the pod that a single eviction is about."""
    subject = change.subject
    return PodTarget(namespace=subject.namespace, name=subject.name, uid=change.uid)


async def find_pod(calls: KubernetesCalls, pod: PodTarget) -> Mapping[str, Json] | None:
    """Return the pod with this uid; None once it is gone, or another one has its name."""
    try:
        found = await read_at(calls, pod_path(pod), f"Pod {pod}")
    except NotThereError:
        return None
    return found if found["metadata"].get("uid") == pod.uid else None


async def evict(calls: KubernetesCalls, pod: PodTarget, *, dry_run: bool = False) -> ApiAnswer:
    """Ask for the eviction of exactly this pod; return the answer."""
    options: dict[str, Json] = {"preconditions": {"uid": pod.uid}}
    body = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod.name, "namespace": pod.namespace},
        "deleteOptions": options,
    }
    query = {**MANAGER, **({"dryRun": "All"} if dry_run else {})}
    return await calls.request("POST", f"{pod_path(pod)}/eviction", query=query, body=body)


async def step(calls: KubernetesCalls, change: DrainNode | EvictPod) -> Progress:
    """Evict the next pod that may go; say which are left, and what holds them.

    Of one owner's pods the next goes only once the one before is gone: a budget may be missing. On
    a node that does not report nobody is there to say that a pod is gone: it was let go.
    """
    present = await _present(calls, change)
    named = [one for one in targets(change) if one.uid in present]
    leaving = [one for one in named if "deletionTimestamp" in present[one.uid]["metadata"]]
    waiting = [one for one in named if one not in leaving]
    if leaving and isinstance(change, DrainNode) and not await _reports(calls, change):
        leaving = []
    busy = {_controller(present[one.uid]) for one in leaving}
    blocked: list[str] = []
    for one in waiting:
        if _controller(present[one.uid]) in busy:
            continue
        said = await _evicted(calls, one)
        if said == "":
            left = tuple(str(other) for other in waiting if other is not one)
            return Progress(done=(str(one),), left=left, leaving=_names([*leaving, one]))
        blocked.append(said)
    return Progress(left=_names(waiting), leaving=_names(leaving), blocked="; ".join(blocked[:3]))


def _names(pods: Sequence[PodTarget]) -> tuple[str, ...]:
    return tuple(str(one) for one in pods)


def _controller(pod: Mapping[str, Json]) -> str:
    """Return the uid of what owns the pod, its own where nothing does."""
    owners = pod["metadata"].get("ownerReferences") or ()
    controller = next((one for one in owners if one.get("controller")), pod["metadata"])
    return str(controller["uid"])


async def _present(
    calls: KubernetesCalls, change: DrainNode | EvictPod
) -> Mapping[str, Mapping[str, Json]]:
    """Return, by uid, each pod that is there and has not ended."""
    if isinstance(change, DrainNode):
        found: Sequence[Mapping[str, Json]] = await pods_on(calls, change)
    else:
        pod = await find_pod(calls, the_pod(change))
        found = [] if pod is None else [pod]
    return {one["metadata"]["uid"]: one for one in found if not _has_ended(one)}


async def pods_on(calls: KubernetesCalls, change: DrainNode) -> Sequence[Mapping[str, Json]]:
    """Return the pods on the node that is drained."""
    query = {"fieldSelector": f"spec.nodeName={change.subject.name}"}
    answer = await calls.request("GET", "/api/v1/pods", query=query)
    if failure := answer.failure(f"the pods on {change.subject.name}"):
        raise failure
    items: Sequence[Mapping[str, Json]] = answer.body["items"]
    return items


async def _reports(calls: KubernetesCalls, change: DrainNode) -> bool:
    """Say whether the node's kubelet is heard of; one that cannot be read is taken to be."""
    answer = await calls.request("GET", f"/api/v1/nodes/{change.subject.name}")
    if answer.failure(str(change.subject)):
        return True
    conditions = (answer.body.get("status") or {}).get("conditions") or ()
    return all(one.get("status") == "True" for one in conditions if one.get("type") == "Ready")


def would_go(pod: Mapping[str, Json], spared: Sequence[str]) -> bool:
    """Say whether a drain would evict this pod, were it named."""
    metadata = pod["metadata"]
    owners = metadata.get("ownerReferences") or ()
    controller = next((one for one in owners if one.get("controller")), None)
    returns = controller is not None and controller.get("kind") not in {"DaemonSet", "Node"}
    leaves = "deletionTimestamp" in metadata
    return returns and not leaves and not _has_ended(pod) and metadata["namespace"] not in spared


def _has_ended(pod: Mapping[str, Json]) -> bool:
    return (pod.get("status") or {}).get("phase") in {"Succeeded", "Failed"}


async def _evicted(calls: KubernetesCalls, pod: PodTarget) -> str:
    """Evict one pod; return what stands against it, empty where it goes."""
    try:
        answer = await evict(calls, pod)
    except OutcomeUnknownError as exc:
        return f"{pod}: {exc.message}"  # looked at again in the next step
    if answer.status in {_GONE, CONFLICT}:
        return ""
    if answer.status == _BLOCKED:
        return f"{pod}: {held_by(answer)}"
    failure = failure_of(answer, f"Pod {pod}")
    if failure is None:
        return ""
    if isinstance(failure, OutcomeUnknownError):
        return f"{pod}: {failure.message}"
    raise failure


def held_by(answer: ApiAnswer) -> str:
    """Return what a blocked eviction says: the budget's own figures where there are some."""
    details = answer.body.get("details") if isinstance(answer.body, Mapping) else None
    causes = (details or {}).get("causes") or ()
    words = [str(one.get("message", "")) for one in causes if isinstance(one, Mapping)]
    return "; ".join(one for one in words if one) or answer.message


def targets(change: DrainNode | EvictPod) -> tuple[PodTarget, ...]:
    """Return the pods that the change evicts."""
    return change.pods if isinstance(change, DrainNode) else (the_pod(change),)
