"""Replace the pods one after another: the symptom goes, the cause may stay."""

from __future__ import annotations

import json

from petops.domain.change import RESTARTED_ANNOTATION, Change, RestartWorkload, Risk
from petops.domain.policy import Refusal
from petops.domain.subject import Kind
from petops.remedies.base import Remedy, Situation
from petops.remedies.guards import ROLLS_PODS

_ROLLING = frozenset({Kind.DEPLOYMENT, Kind.STATEFUL_SET, Kind.DAEMON_SET})


def plan(situation: Situation) -> Change | Refusal:
    """Set the annotation that `kubectl rollout restart` sets."""
    workload = situation.workload
    if workload.subject.kind not in _ROLLING:
        return Refusal(
            why=f"a {workload.subject.kind} cannot be restarted rolling",
            lift="delete or run it again by hand",
        )
    annotations = json.loads(workload.template).get("metadata", {}).get("annotations") or {}
    return RestartWorkload(
        subject=workload.subject,
        uid=workload.uid,
        was=annotations.get(RESTARTED_ANNOTATION),
        to=situation.now.strftime("%Y-%m-%dT%H:%M:%SZ"),
    )


REMEDY = Remedy(name="restart-workload", risk=Risk.GREEN, plan=plan, guards=ROLLS_PODS)
