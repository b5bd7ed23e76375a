"""How it stands with a node that is short of something. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from petops.domain.diagnosis import Finding
from petops.domain.objects import NodeRelief
from petops.playbooks.base import Case, CauseNow, Evidence, Judgement
from petops.playbooks.pod_trouble import living
from petops.playbooks.pod_watch import Judge, unclear
from petops.playbooks.steps.nodes import node_relief
from petops.playbooks.steps.workloads import affected_pods, node_conditions

# A kubelet looks every ten seconds: what was read so long after the change was not evicted for.
SETTLES: Final = timedelta(seconds=15)
TELLS: Final = timedelta(seconds=30)
# Kubernetes' default of the kubelet's evictionPressureTransitionPeriod.
HOLDS: Final = timedelta(minutes=5)
# What a node's pods must leave of its allocatable, which is without the eviction threshold.
SPARE_RATIO: Final = 0.05
SPARE_MIB: Final = 100.0


def judged_by_condition(condition: str, words: str) -> Judge:
    """Return a judge by one condition of the finding's node."""

    def judge(
        case: Case, evidence: Evidence, finding: Finding, since: datetime | None
    ) -> Judgement:
        del case, since
        nodes, affected = evidence.fact(node_conditions), evidence.fact(affected_pods)
        if nodes is None or finding.subject is None:
            return unclear(evidence.why_unknown(node_conditions))
        name = finding.subject.name
        states = {one.name: one for one in nodes.states}
        pods = living(affected.pods) if affected else ()
        ready = sum(pod.ready for pod in pods)
        if name not in states:
            words_of_pods = f"{ready} of {len(pods)} pods ready"
            return unclear(f"{words_of_pods}; none of them is on {name} any more")
        short = states[name].has(condition, "True")
        signal = f"node {name} is {'' if short else 'not '}{words}"
        return Judgement(
            symptom_gone=not short and ready == len(pods),
            cause=CauseNow.GOES_ON if short else CauseNow.GONE,
            signals=(signal, f"{ready} of {len(pods)} pods ready"),
        )

    return judge


def judged_by_memory(
    case: Case, evidence: Evidence, finding: Finding, since: datetime | None
) -> Judgement:
    """Say whether the node has memory to spare, measured since the change, and evicts no more.

    A kubelet keeps the condition for minutes after the memory is there. It counts as gone only
    with that: until then the cause is unclear. Before a change the condition alone is the symptom.
    """
    nodes, relief = evidence.fact(node_conditions), evidence.fact(node_relief)
    name = finding.subject.name if finding.subject else ""
    state = next((one for one in nodes.states if one.name == name), None) if nodes else None
    if state is None:
        return unclear(evidence.why_unknown(node_conditions))
    if not state.has("MemoryPressure", "True"):
        if relief is None:
            return unclear(evidence.why_unknown(node_relief))
        signals = (f"node {name} is not short of memory", *of_those_gone(relief))
        # A kubelet writes its condition after it evicted: so soon the one tells nothing yet.
        evicts = relief.evicted_at is not None and case.window.end - relief.evicted_at < TELLS
        return Judgement(
            symptom_gone=not relief.away and not evicts,
            cause=CauseNow.UNCLEAR if evicts else CauseNow.GONE,
            signals=signals,
        )
    if relief is None or since is None or relief.node != name:
        signals = (f"node {name} is short of memory",)
        return Judgement(symptom_gone=False, cause=CauseNow.GOES_ON, signals=signals)
    return _while_it_holds(relief, since, case.window.end, by_pods=finding.culprit is not None)


def _while_it_holds(
    relief: NodeRelief, since: datetime, now: datetime, *, by_pods: bool
) -> Judgement:
    """Judge a node whose condition is still set by what was measured there since."""
    held = (
        f"MemoryPressure is still set on {relief.node}: a kubelet keeps it for up to "
        f"{HOLDS.total_seconds() / 60:.0f} min by default"
    )
    quiet_since = max(since, relief.evicted_at or since)
    measured = (
        by_pods
        and not relief.unmeasured_pods
        and relief.measured_at is not None
        and relief.measured_at >= quiet_since + SETTLES
    )
    if not measured or relief.allocatable_mib is None:
        wait = "not yet measured since the change" if by_pods else "it is not known what took it"
        if relief.evicted_at is not None and relief.evicted_at > since:
            wait = f"{wait}; evicted last at {relief.evicted_at:%H:%M:%S}Z"
        evicts = now - quiet_since < SETTLES
        cause = CauseNow.GOES_ON if evicts and relief.evicted_at else CauseNow.UNCLEAR
        return Judgement(symptom_gone=False, cause=cause, signals=(held, wait))
    used = f"its pods use {relief.used_mib:.0f} of {relief.allocatable_mib:.0f} MiB allocatable"
    spare = max(SPARE_MIB, SPARE_RATIO * relief.allocatable_mib)
    if relief.used_mib > relief.allocatable_mib - spare:
        return Judgement(symptom_gone=False, cause=CauseNow.GOES_ON, signals=(used, held))
    quiet = f"no eviction there since {quiet_since:%H:%M:%S}Z"
    return Judgement(
        symptom_gone=not relief.away,
        cause=CauseNow.UNCLEAR,
        signals=(used, quiet, *of_those_gone(relief), held),
    )


def of_those_gone(relief: NodeRelief) -> tuple[str, ...]:
    """Say whether what was evicted there, or had to leave, serves elsewhere."""
    if relief.away:
        return (f"sent away and not back: {', '.join(str(one) for one in relief.away)}",)
    if relief.back:
        return (f"sent away and back: {', '.join(str(one) for one in relief.back)}",)
    return ()
