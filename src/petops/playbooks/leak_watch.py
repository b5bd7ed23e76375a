"""How it stands with a leak now: before a change, after it, and while a relapse is watched for.

Pure.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from petops.domain.diagnosis import Finding, LeakForecast
from petops.domain.facts import ContainerMemory, Lifetime, Pod
from petops.playbooks.base import Case, CauseNow, Evidence, Judgement
from petops.playbooks.growth import growth
from petops.playbooks.leak_suspect import Suspect, forecast, suspects, typical_life_seconds
from petops.playbooks.steps.memory import container_memory
from petops.playbooks.steps.workloads import affected_pods, container_stops

# Under this share of its limit a container is out of danger.
OUT_OF_DANGER_RATIO = 0.8
SHORTEST_RELAPSE_SECONDS = 60.0
# Fewer readings than this of a fresh container say nothing about its growth.
READINGS_TO_JUDGE = 4


def judge(case: Case, evidence: Evidence, finding: Finding, since: datetime | None) -> Judgement:
    """Say whether the symptom and its cause are there; `since` is when the change was made."""
    del case
    affected = evidence.fact(affected_pods)
    if affected is None:
        return _unclear(evidence.why_unknown(affected_pods))
    pods = tuple(pod for pod in affected.pods if not pod.being_deleted and pod.phase != "Failed")
    memory = evidence.fact(container_memory)
    found = [
        one
        for one in suspects(affected, memory.lifetimes if memory else ())
        if one.container == finding.container
    ]
    if not pods or not found:
        return Judgement(
            symptom_gone=False, cause=CauseNow.UNCLEAR, signals=("it has no running pods",)
        )
    killed = _killed(found[0], evidence, since)
    if killed:
        return Judgement(
            symptom_gone=False,
            cause=CauseNow.GOES_ON,
            signals=(killed,),
            forecast=forecast(found[0]),
        )
    if since is None:
        return _before(pods, found[0], measured=memory is not None)
    return _after(pods, found[0], memory, since)


def relapse_seconds(evidence: Evidence, finding: Finding) -> float:
    """Return two times the last time to the kill: seen, or else what growth says it would be."""
    affected, memory = evidence.fact(affected_pods), evidence.fact(container_memory)
    if affected is None:
        return SHORTEST_RELAPSE_SECONDS
    for one in suspects(affected, memory.lifetimes if memory else ()):
        if (one.owner, one.container) != (finding.subject, finding.container):
            continue
        seconds = typical_life_seconds(one) or _life_by_growth(one)
        return max(SHORTEST_RELAPSE_SECONDS, 2 * seconds)
    return SHORTEST_RELAPSE_SECONDS


def _life_by_growth(found: Suspect) -> float:
    rate = found.mib_per_minute
    grown = [one for one in found.leaking if rate > 0]
    limits = [life.limit_mib for life in found.lives if life.limit_mib]
    if not grown or not limits:
        return 0.0
    return (max(limits) - min(one.from_mib for one in grown)) / rate * 60


def _killed(found: Suspect, evidence: Evidence, since: datetime | None) -> str:
    """Say whether the kernel killed it again: after `since`, or, before any change, at all."""
    if evidence.fact(container_stops) is None:
        return ""
    kills = [
        kill
        for kill in found.kills
        if since is None or (kill.finished_at is not None and kill.finished_at > since)
    ]
    if not kills:
        return ""
    latest = max(kills, key=lambda kill: kill.finished_at.timestamp() if kill.finished_at else 0)
    at = f" at {latest.finished_at:%H:%M:%S}Z" if latest.finished_at else ""
    return f"{latest.pod} was killed for its memory{at}"


def _before(pods: tuple[Pod, ...], found: Suspect, *, measured: bool) -> Judgement:
    """Judge before a change: a leak is there as long as it grows, or stands near its limit."""
    if not measured or not found.is_measured:
        return _unclear("its memory was not measured")
    near = [life for life in found.lives if life.alive and _ratio(life) >= OUT_OF_DANGER_RATIO]
    if found.leaking or found.leaks_by_age or near:
        return Judgement(
            symptom_gone=False,
            cause=CauseNow.GOES_ON,
            signals=(f"memory grows {found.mib_per_minute:.1f} MiB a minute",),
            forecast=forecast(found),
        )
    ready = all(pod.ready for pod in pods)
    return Judgement(
        symptom_gone=ready,
        cause=CauseNow.GONE if ready else CauseNow.UNCLEAR,
        signals=("memory does not grow, and is clear of its limit",),
    )


def _after(
    pods: tuple[Pod, ...], found: Suspect, memory: ContainerMemory | None, since: datetime
) -> Judgement:
    """Judge after a change, by readings of containers that were looked at since."""
    waiting = [pod.name for pod in pods if not pod.ready]
    if waiting:
        signal = f"{len(pods) - len(waiting)} of {len(pods)} replicas ready"
        return Judgement(symptom_gone=False, cause=CauseNow.UNCLEAR, signals=(signal,))
    if memory is None:
        return _unclear("its memory was not measured")
    lives = [life for life in found.lives if life.alive and life.seen_until > since]
    missing = len(pods) - len({life.pod for life in lives})
    if missing > 0:
        return _unclear(f"{missing} of {len(pods)} pods have no reading since the change")
    ratios = [_ratio(life) for life in lives]
    signals = (
        f"{len(pods)} of {len(pods)} replicas ready",
        f"memory at {max(ratios):.0%} of its limit at most",
        "no kill since the change",
    )
    gone = max(ratios) < OUT_OF_DANGER_RATIO
    cause, ahead = _cause(found, lives, since)
    return Judgement(symptom_gone=gone, cause=cause, signals=signals, forecast=ahead)


def _cause(
    found: Suspect, lives: list[Lifetime], since: datetime
) -> tuple[CauseNow, LeakForecast | None]:
    fresh = [_since(life, since) for life in lives]
    judged = [one for life in fresh if (one := growth(life)) is not None]
    leaking = [one for one in judged if one.leaking and one.readings >= READINGS_TO_JUDGE]
    if leaking:
        return CauseNow.GOES_ON, forecast(found)
    seen_long = all(
        len(life.readings) >= READINGS_TO_JUDGE
        or life.seen_until - since >= timedelta(seconds=SHORTEST_RELAPSE_SECONDS)
        for life in fresh
    )
    return (CauseNow.GONE if seen_long else CauseNow.UNCLEAR), None


def _since(life: Lifetime, since: datetime) -> Lifetime:
    kept = tuple(one for one in life.readings if one.at > since)
    return replace(life, readings=kept or life.readings[-1:])


def _ratio(life: Lifetime) -> float:
    """Return memory over limit; without a limit nothing is near it."""
    return life.readings[-1].mib / life.limit_mib if life.limit_mib else 0.0


def _unclear(why: str) -> Judgement:
    return Judgement(symptom_gone=None, cause=CauseNow.UNCLEAR, signals=(why,))
