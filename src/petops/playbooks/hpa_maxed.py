"""Autoscaler at its maximum, or blind: more load than replicas may serve, or no metric of it.

Look-alikes: scaling that is still under way, one scaled to nothing, pods that are down (no metric).
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final

from petops.domain.diagnosis import Finding, Verdict
from petops.domain.objects import Autoscaler, Condition, condition_of
from petops.playbooks.base import (
    OF_WORKLOADS,
    Case,
    CauseNow,
    Evidence,
    FailureMode,
    Judgement,
    Ledger,
    suspected_in,
)
from petops.playbooks.pod_trouble import ago, living
from petops.playbooks.pod_watch import for_two_minutes, unclear
from petops.playbooks.steps.objects import autoscalers
from petops.playbooks.steps.workloads import affected_pods, principal

NAME = "hpa-maxed"
REMEDIES = ("widen-hpa",)
BLIND_REMEDIES = ("look-closer",)
UNASKED_REMEDIES = ("set-requests",)
# kube-controller-manager's own words where a container has no request to be a share of.
_UNASKED: Final = re.compile(r"missing request for \S+ in container ")
_RESOURCE: Final = frozenset({"FailedGetResourceMetric", "FailedGetContainerResourceMetric"})
AT_MOST_FOR: Final = timedelta(minutes=1)
BLIND_FOR: Final = timedelta(minutes=3)
_BLIND: Final = frozenset(
    {"FailedGetResourceMetric", "FailedGetContainerResourceMetric", "FailedGetPodsMetric"}
    | {"FailedGetObjectMetric", "FailedGetExternalMetric", "FailedComputeMetricsReplicas"}
    | {"InvalidMetricSourceType", "FailedGetScale", "InvalidSelector"}
)


def is_at_maximum(found: Autoscaler, now: datetime | None = None) -> bool:
    """Say whether it would have more replicas than it may, and has wanted them for a while."""
    said = condition_of(found.conditions, "ScalingLimited")
    limited = said is not None and said.status == "True" and said.reason == "TooManyReplicas"
    return limited and found.now >= found.most > 0 and _lasts(said, now, AT_MOST_FOR)


def is_blind(found: Autoscaler, now: datetime | None = None) -> str:
    """Return why it has no metric to go by; empty where it has one, or is switched off."""
    said = _blindness(found, now)
    return said.reason if said else ""


def _blindness(found: Autoscaler, now: datetime | None) -> Condition | None:
    """Return the condition that says so. Pods that have just been made have no metrics yet."""
    for kind in ("ScalingActive", "AbleToScale"):
        said = condition_of(found.conditions, kind)
        if said is not None and said.status == "False" and said.reason in _BLIND:
            return said if _lasts(said, now, BLIND_FOR) else None
    return None


def _mended(said: Condition | None, owner: str) -> tuple[tuple[str, ...], str]:
    """Return the remedies and the advice for a blind autoscaler: what its metric comes from."""
    if said is not None and _UNASKED.search(said.message):
        return UNASKED_REMEDIES, f"give every container of {owner} a request: it is scaled by it"
    if said is not None and said.reason in _RESOURCE:
        return BLIND_REMEDIES, f"look at metrics-server: it has no usage of the pods of {owner}"
    return BLIND_REMEDIES, (
        f"look at what serves the metric that {owner} is scaled by (the adapter of the custom or "
        "external metrics API), and at its name in the autoscaler"
    )


def _lasts(said: Condition | None, now: datetime | None, least: timedelta) -> bool:
    since = said.since if said else None
    return now is None or since is None or now - since >= least


def conclude(case: Case, evidence: Evidence) -> Finding:
    """Look at the conditions of the workload's autoscalers."""
    ledger = Ledger(mode=NAME, evidence=evidence)
    found, affected = evidence.fact(autoscalers), evidence.fact(affected_pods)
    statement, refuted_if = "its autoscaler can do no more", "it sees its metric and has room"
    if found is None or affected is None:
        ledger.not_measured(autoscalers, statement, refuted_if=refuted_if)
        return ledger.finding(Verdict.UNDECIDED, "its autoscaler is not known")
    maxed = [one for one in found.found if is_at_maximum(one, case.window.end)]
    blind = [one for one in found.found if is_blind(one, case.window.end)]
    owner = principal(affected)
    if not maxed and not blind:
        said = "; ".join(f"{one.name}: {one.now} of {one.most}" for one in found.found)
        seen = said or "it has none"
        ledger.refutes(autoscalers, statement, seen=seen, refuted_if=refuted_if)
        return ledger.finding(Verdict.REFUTED, f"its autoscaler is not at its end: {seen}")
    one = (maxed or blind)[0]
    remedies: tuple[str, ...] = REMEDIES
    if maxed:
        said_at = condition_of(one.conditions, "ScalingLimited")
        since = ago(said_at.since if said_at else None, case.window.end)
        seen = f"{one.name}: {one.now} of {one.most} replicas, TooManyReplicas since {since}"
        ledger.supports(autoscalers, 0.5, statement, seen=seen, refuted_if=refuted_if)
        because = (
            f"{owner.name} runs the {one.most} replicas that {one.name} may have, and needs more"
        )
        advice = f"raise maxReplicas of {one.name} if nodes and what it depends on bear more"
    else:
        seen = f"{one.name}: {is_blind(one)}"
        ledger.supports(autoscalers, 0.5, statement, seen=seen, refuted_if=refuted_if)
        because = f"{one.name} does not scale {owner.name}: it has no metric ({is_blind(one)})"
        remedies, advice = _mended(_blindness(one, None), owner.name)
    _pods_row(ledger, affected.pods and all(pod.ready for pod in living(affected.pods)))
    return ledger.finding(
        Verdict.SUPPORTED,
        because,
        subject=owner,
        is_proven=False,
        remedies=remedies,
        advice=advice,
    )


def _pods_row(ledger: Ledger, are_ready: object) -> None:
    statement, refuted_if = "its pods are well", "its pods are down: then that is what to look at"
    if are_ready:
        seen = "all are ready"
        ledger.supports(affected_pods, 0.1, statement, seen=seen, refuted_if=refuted_if)
    else:
        seen = "some are not ready"
        ledger.opposes(affected_pods, 0.1, statement, seen=seen, refuted_if=refuted_if)


def judge(case: Case, evidence: Evidence, finding: Finding, since: datetime | None) -> Judgement:
    """Say whether the autoscaler has room and sees again."""
    del case, finding, since
    found = evidence.fact(autoscalers)
    if found is None:
        return unclear(evidence.why_unknown(autoscalers))
    bad = [one.name for one in found.found if is_at_maximum(one) or is_blind(one)]
    signals = tuple(f"{one.name}: {one.now} of {one.most} replicas" for one in found.found)
    return Judgement(
        symptom_gone=not bad,
        cause=CauseNow.GOES_ON if bad else CauseNow.GONE,
        signals=signals or ("it has no autoscaler",),
    )


MODE = FailureMode(
    name=NAME,
    title="autoscaler at its maximum, or blind",
    suspect=suspected_in(*OF_WORKLOADS),
    steps=(affected_pods, autoscalers),
    conclude=conclude,
    watch_steps=(affected_pods, autoscalers),
    judge=judge,
    relapse_seconds=for_two_minutes,
    watched="replicas against the autoscaler's maximum, and its conditions",
)
