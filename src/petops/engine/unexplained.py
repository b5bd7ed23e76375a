"""What Kubernetes warns of where no failure mode made a cause of it: quoted, so as not to be lost.

Pure. A warning names no cause. One that is over is left out: its pod is gone, became ready since,
or got what it lacked, or what was refused was made.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from petops.domain.facts import Pod
from petops.domain.objects import Occurrence
from petops.playbooks.base import Case, Evidence
from petops.playbooks.pod_trouble import ago, quoted
from petops.playbooks.refusals import FAILED, made_since, refusals
from petops.playbooks.starts import SANDBOX_REASONS, VOLUME_REASONS, is_held
from petops.playbooks.steps.objects import object_events
from petops.playbooks.steps.workloads import affected_pods

RECENT: Final = timedelta(minutes=20)
_NO_NODE: Final = "FailedScheduling"
_OF_STARTS: Final = VOLUME_REASONS | SANDBOX_REASONS


def unexplained(case: Case, evidence: Evidence) -> str:
    """Return the most frequent recent warning in words; empty where there is none."""
    events, affected = evidence.fact(object_events), evidence.fact(affected_pods)
    if events is None or affected is None:
        return ""
    now = case.window.end
    pods = {pod.name: pod for pod in affected.pods}
    left = [one for one in events.occurrences if _counts(one, pods, now)]
    if not left:
        return ""
    most = max(left, key=lambda one: (one.count, one.last_at or now))
    times = "once" if most.count == 1 else f"{most.count} times"
    last = f", last {ago(most.last_at, now)}" if most.last_at else ""
    said = quoted(f"{most.reason}: {most.message}", 240)
    return f"Kubernetes warns of {most.kind} {most.name}, {times}{last}: {said}"


def with_warning(because: str, case: Case, evidence: Evidence) -> str:
    """Return why no cause was found, and what Kubernetes warns of all the same."""
    warning = unexplained(case, evidence)
    return f"{because}. {warning}" if warning else because


def _counts(one: Occurrence, pods: dict[str, Pod], now: datetime) -> bool:
    if not one.is_warning or (one.last_at is not None and now - one.last_at > RECENT):
        return False
    if one.kind == "Pod":
        return not _is_over(one, pods.get(one.name))
    return one.reason != FAILED or not _was_made(one, pods.values(), now)


def _is_over(one: Occurrence, pod: Pod | None) -> bool:
    """Say whether a pod is gone, or is further than what was warned of."""
    if pod is None or pod.phase == "Succeeded":
        return True
    if (one.reason in _OF_STARTS and not is_held(pod)) or (one.reason == _NO_NODE and pod.node):
        return True
    if pod.being_deleted:
        return one.reason == "Unhealthy"  # what ends does not answer its probes
    since = pod.ready_changed_at
    return pod.ready and one.last_at is not None and since is not None and since >= one.last_at


def _was_made(one: Occurrence, pods: Iterable[Pod], now: datetime) -> bool:
    every = tuple(pods)
    return any(made_since(every, refusal) for refusal in refusals([one], None, now))
