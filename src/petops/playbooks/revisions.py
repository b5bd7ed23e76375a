"""Which revision a fault began with, and which one to go back to.

The previous revision is not good for being the previous one. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from petops.domain.facts import Pod, Revision, Rollouts
from petops.domain.objects import Occurrence
from petops.playbooks.leak_suspect import GOOD_AFTER
from petops.playbooks.pod_trouble import was_never_ready
from petops.playbooks.refusals import FAILED

# A fault that shows within this time of a rollout is taken to have come with it.
SOON: Final = timedelta(minutes=10)
_SLACK: Final = timedelta(seconds=30)
_TELLING: Final = frozenset({"BackOff", "Unhealthy", "Failed", "FailedScheduling", FAILED})


def serving(rollouts: Rollouts, pods: Iterable[Pod]) -> tuple[Revision, ...]:
    """Return the earlier revisions that have ready pods now, newest first."""
    ready = {pod.revision for pod in pods if pod.ready and not pod.being_deleted}
    return tuple(
        one
        for one in rollouts.earlier
        if one.ready_pods > 0 or one.name.rpartition("-")[2] in ready
    )


def good_revision(rollouts: Rollouts, pods: Iterable[Pod]) -> Revision | None:
    """Return the newest earlier revision that serves now, else one that served for an hour."""
    now = serving(rollouts, pods)
    if now:
        return now[0]
    newer_began = rollouts.current_since
    for revision in rollouts.earlier:
        older = [one for one in rollouts.earlier if one.number < revision.number]
        brought_back = any(one.created_at > revision.created_at for one in older)
        if newer_began is None:
            return None
        served = newer_began - revision.created_at
        # Of one that an undo brought back nobody knows how long it served.
        if revision.pods == 0 and not brought_back and served >= GOOD_AFTER:
            return revision
        newer_began = revision.created_at
    return None


def onset(
    pods: Iterable[Pod], events: Iterable[Occurrence], replica_set: str = ""
) -> datetime | None:
    """Return when these pods first showed a fault; None where that cannot be told.

    That their ReplicaSet was first refused a pod counts as well.
    """
    bad = {pod.name: pod for pod in pods}
    times = [pod.created_at for pod in bad.values() if was_never_ready(pod)]
    times += [
        one.first_at
        for one in events
        if (one.name in bad or (one.name == replica_set and one.reason == FAILED))
        and one.first_at is not None
        and one.reason in _TELLING
    ]
    stops = [one.last_stop for pod in bad.values() for one in pod.containers if one.last_stop]
    times += [stop.started_at for stop in stops if stop.started_at is not None]
    return min(times, default=None)


def came_with(current_since: datetime | None, began: datetime | None) -> bool | None:
    """Say whether a fault began with the running revision; None where that cannot be told."""
    if current_since is None or began is None:
        return None
    return current_since - _SLACK <= began <= current_since + SOON
