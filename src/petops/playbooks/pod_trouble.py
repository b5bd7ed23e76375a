"""What is wrong with pods, by Kubernetes' own closed set of words: states, reasons, exit codes.

Pure. Whatever else stands in a message is data of others and decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from statistics import median
from typing import Final

from petops.domain.facts import Container, Pod
from petops.domain.subject import Kind, Subject

PULL_REASONS: Final = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"}
    | {"RegistryUnavailable", "ImageInspectError", "SignatureValidationFailed"}
)
CONFIG_REASONS: Final = frozenset(
    {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}
    | {"PreCreateHookError", "PostStartHookError"}
)
BACK_OFF: Final = "CrashLoopBackOff"
RESTARTS_OF_A_LOOP: Final = 2
# The kubelet waits five minutes at most between two starts.
LOOP_SECONDS: Final = 600.0
# Whatever its probes say: a good program may take this long to start, and an alarm can wait for it.
PATIENCE_SECONDS: Final = 45.0
SLOWER_THAN_OTHERS: Final = 3.0


def living(pods: Iterable[Pod]) -> tuple[Pod, ...]:
    """Return the pods that still count: not ended, not evicted, not being deleted."""
    return tuple(
        pod for pod in pods if not pod.being_deleted and pod.phase not in {"Failed", "Succeeded"}
    )


def pulls_in_vain(container: Container) -> bool:
    """Say whether the container waits for an image that cannot be had."""
    return container.waiting in PULL_REASONS


def is_misconfigured(container: Container) -> bool:
    """Say whether the container cannot even be made of its specification."""
    return container.waiting in CONFIG_REASONS


def is_crash_looping(container: Container, now: datetime) -> bool:
    """Say whether the container ends again and again, waiting or between two ends."""
    stop = container.last_stop
    if container.waiting == BACK_OFF:
        return True
    if container.waiting or container.restarts < RESTARTS_OF_A_LOOP or stop is None:
        return False
    ended = stop.finished_at
    recent = ended is not None and (now - ended).total_seconds() <= LOOP_SECONDS
    lived = stop.lived_seconds
    return recent and lived is not None and lived <= LOOP_SECONDS and not _outlived(container, now)


def _outlived(container: Container, now: datetime) -> bool:
    """Say whether the present run has lasted clearly longer than the last: then it is over."""
    stop = container.last_stop
    if stop is None or stop.lived_seconds is None or container.started_at is None:
        return False
    runs = (now - container.started_at).total_seconds()
    return container.ready and runs > max(60.0, SLOWER_THAN_OTHERS * stop.lived_seconds)


def unready_seconds(pod: Pod, now: datetime) -> float:
    """Return for how long the pod has not been ready; 0 while it is."""
    if pod.ready:
        return 0.0
    since = max(pod.created_at, pod.ready_changed_at or pod.created_at)
    return max(0.0, (now - since).total_seconds())


def was_never_ready(pod: Pod) -> bool:
    """Say whether the pod has not been ready since it was made."""
    if pod.ready:
        return False
    changed = pod.ready_changed_at
    return changed is None or changed - pod.created_at <= timedelta(seconds=2)


def patience_seconds(pod: Pod, others: Iterable[Pod]) -> float:
    """Return how long the pod may take to become ready before that means anything.

    What its own probes give it, three times what pods of the same owner took, and never less than
    a start may take.
    """
    starts = [
        (one.ready_changed_at - one.created_at).total_seconds()
        for one in others
        if one.owner == pod.owner
        and one.ready
        and one.ready_changed_at is not None
        and not any(container.restarts for container in one.containers)
    ]
    given = [one.ready_within_seconds for one in pod.containers if one.ready_within_seconds]
    took = SLOWER_THAN_OTHERS * median(starts) if starts else 0.0
    return max([PATIENCE_SECONDS, took, *given])


def is_unwell(pod: Pod, now: datetime) -> bool:
    """Say whether anything is wrong with the pod, going by the pod alone."""
    return bool(trouble(pod, now))


def trouble(pod: Pod, now: datetime, others: Iterable[Pod] = ()) -> str:
    """Name the failure mode that the pod alone speaks of; empty where it is well."""
    if pod.being_deleted or pod.phase == "Succeeded":
        return ""
    if pod.phase == "Failed":
        failed = pod.owner.kind is Kind.JOB and not pod.disrupted_by and pod.reason != "Evicted"
        return "job-failed" if failed else ""
    if pod.unscheduled:
        return "unschedulable"
    found = next((said for one in pod.containers if (said := _of_container(one, now))), "")
    if found or pod.ready or pod.phase != "Running" or all(one.ready for one in pod.containers):
        return found
    late = unready_seconds(pod, now) >= patience_seconds(pod, others)
    return "failing-probe" if late else ""


def _of_container(container: Container, now: datetime) -> str:
    if pulls_in_vain(container):
        return "image-pull"
    if is_misconfigured(container):
        return "crash-loop"
    if not is_crash_looping(container, now):
        return ""
    killed = container.last_stop is not None and container.last_stop.is_out_of_memory
    return "memory-limit-too-low" if killed else "crash-loop"


def worst_of(pods: Iterable[Pod]) -> Subject | None:
    """Return the owner that most of these pods belong to; of two alike the first by name."""
    owners = [pod.owner for pod in pods]
    return min(set(owners), key=lambda one: (-owners.count(one), str(one)), default=None)


def quoted(text: str, most: int = 160) -> str:
    """Return text of others as it may stand in a sentence of ours: short, one line, in quotes."""
    plain = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    return f"«{plain if len(plain) <= most else plain[: most - 1] + '…'}»"


def quoted_end(text: str, most: int = 160) -> str:
    """Return the end of a text of others, as `quoted` does: what runtimes wrap, they put first."""
    plain = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    return quoted(plain if len(plain) <= most else "…" + plain[1 - most :], most)


def ago(then: datetime | None, now: datetime) -> str:
    """Return how long ago something was, for reading."""
    if then is None:
        return "at an unknown time"
    seconds = max(0, round((now - then).total_seconds()))
    if seconds < 120:
        return f"{seconds} s ago"
    return f"{seconds // 60} min ago" if seconds < 7200 else f"{seconds // 3600} h ago"


def names(pods: Iterable[Pod], most: int = 3) -> str:
    """Return the names of pods, the first few of them."""
    every = [pod.name for pod in pods]
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more
