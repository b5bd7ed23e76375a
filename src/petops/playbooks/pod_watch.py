"""How it stands with pods before and after a change: one judgement that many modes share. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from petops.domain.diagnosis import Finding
from petops.domain.facts import Container, Pod
from petops.playbooks.base import Case, CauseNow, Evidence, Judgement
from petops.playbooks.pod_trouble import living, names
from petops.playbooks.steps.workloads import affected_pods

Judge = Callable[[Case, Evidence, Finding, datetime | None], Judgement]
RELAPSE_SECONDS = 120.0


def judged_by(in_trouble: Callable[[Pod, datetime | None], bool], words: str) -> Judge:
    """Return a judge for a mode that shows in single pods; `words` say what is wrong with them.

    The symptom is gone once pods are there, all are ready, and none is in this trouble.
    """

    def judge(
        case: Case, evidence: Evidence, finding: Finding, since: datetime | None
    ) -> Judgement:
        del case, finding
        affected = evidence.fact(affected_pods)
        if affected is None:
            return unclear(evidence.why_unknown(affected_pods))
        pods = living(affected.pods)
        if not pods:
            return Judgement(
                symptom_gone=False, cause=CauseNow.UNCLEAR, signals=("it has no running pods",)
            )
        bad = tuple(pod for pod in pods if in_trouble(pod, since))
        if bad:
            return Judgement(
                symptom_gone=False, cause=CauseNow.GOES_ON, signals=(f"{names(bad)}: {words}",)
            )
        ready = sum(pod.ready for pod in pods)
        return Judgement(
            symptom_gone=ready == len(pods),
            cause=CauseNow.GONE if ready == len(pods) else CauseNow.UNCLEAR,
            signals=(f"{ready} of {len(pods)} replicas ready",),
        )

    return judge


def unclear(why: str) -> Judgement:
    """Return the judgement of what could not be seen."""
    return Judgement(symptom_gone=None, cause=CauseNow.UNCLEAR, signals=(why,))


def for_two_minutes(evidence: Evidence, finding: Finding) -> float:
    """Return how long recovery must hold where the cause shows at once."""
    del evidence, finding
    return RELAPSE_SECONDS


def any_container(check: Callable[[Container], bool]) -> Callable[[Pod, datetime | None], bool]:
    """Say of a pod whether one of its containers is in trouble, now."""

    def found(pod: Pod, since: datetime | None) -> bool:
        del since
        return any(check(one) for one in pod.containers)

    return found
