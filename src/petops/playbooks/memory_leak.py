"""Memory leak: a container's anonymous memory grows in every lifetime until the kernel kills it.

Look-alikes: a limit that was always too low, load, page cache, a warm-up, eviction from a starved
node.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from petops.domain.diagnosis import Finding, LeakForecast, Verdict, Weighs
from petops.playbooks.base import OF_WORKLOADS, Case, Evidence, FailureMode, Ledger, suspected_in
from petops.playbooks.leak_ledger import (
    cache_row,
    eviction_row,
    flat_words,
    growth_row,
    kill_row,
    load_row,
    rollout_row,
    sibling_row,
)
from petops.playbooks.leak_suspect import (
    Suspect,
    began_with_rollout,
    forecast,
    good_revision,
    suspects,
    unseen_since,
)
from petops.playbooks.leak_watch import judge, relapse_seconds
from petops.playbooks.steps.memory import container_memory, request_load, siblings
from petops.playbooks.steps.workloads import (
    affected_pods,
    container_stops,
    node_conditions,
    recent_rollouts,
)

NAME = "memory-leak"
EXPLAINS = ("crash-loop", "bad-rollout", "failing-probe", "no-endpoints", "hpa-maxed")
REMEDIES = ("undo-rollout", "restart-workload", "raise-memory-limit", "profile-memory")


def conclude(case: Case, evidence: Evidence) -> Finding:
    """Weigh the likeliest container.

    Growth in each lifetime, kills, and what else could explain them.
    """
    ledger = Ledger(mode=NAME, evidence=evidence)
    affected = evidence.fact(affected_pods)
    if affected is None or not affected.pods:
        why = evidence.why_unknown(affected_pods) if affected is None else "it has no pods"
        ledger.not_measured(
            affected_pods, "a pod is affected", refuted_if="no pod is affected", why=why
        )
        return _finding(ledger, Verdict.UNDECIDED, f"no pod to look at: {why}")
    memory = evidence.fact(container_memory)
    lives = memory.lifetimes if memory is not None else ()
    found = suspects(affected, lives)[0]
    growth_row(ledger, found, measured=memory is not None)
    kill_row(ledger, found)
    eviction_row(ledger, found)
    if found.leaking or found.leaks_by_age:
        cache_row(ledger, found)
        load_row(ledger)
        sibling_row(ledger, found, lives)
    rollouts = evidence.fact(recent_rollouts)
    good = good_revision(rollouts, found, lives)
    with_rollout = began_with_rollout(rollouts, found, case.window.start)
    if found.leaking or found.leaks_by_age:
        rollout_row(ledger, rollouts, with_rollout=with_rollout)
    began = rollouts.current.number if with_rollout and rollouts and rollouts.current else None
    unseen = unseen_since(found, case.window.end)
    finding = _concluded(ledger, found, forecast(found), began if good else None, unseen)
    return replace(
        finding, began_with_revision=began, good_revision=good.number if good and began else None
    )


def _concluded(
    ledger: Ledger,
    found: Suspect,
    ahead: LeakForecast,
    began: int | None,
    unseen: datetime | None,
) -> Finding:
    grows = bool(found.leaking) or found.leaks_by_age
    if ledger.refuted and not grows:
        because = f"{found.owner.name}/{found.container} does not leak: {flat_words(found)}"
        return _finding(ledger, Verdict.REFUTED, because, found)
    if not grows and len(found.kills) + found.restarts < 3:
        grown = "no growth was seen" if found.grown else "its memory was not measured"
        because = f"{grown}, and it was not killed again and again"
        return _finding(ledger, Verdict.UNDECIDED, because, found)
    if not grows and not found.kills:
        return _finding(ledger, Verdict.REFUTED, "its containers do not end for memory", found)
    if not grows:
        # Repeated kills alone are a leak or a limit that is too low: nobody could tell.
        because = (
            f"{found.owner.name}/{found.container} is killed for its memory again and again: "
            "a leak or too low a limit, its growth was not measured"
        )
        return _finding(ledger, Verdict.UNDECIDED, because, found)
    if doubt := "" if found.kills else _doubt(ledger, found, unseen):
        name = f"memory of {found.owner.name}/{found.container}"
        return _finding(ledger, Verdict.UNDECIDED, f"{name} {doubt}", found)
    because = f"{found.owner.name}/{found.container} leaks {found.mib_per_minute:.1f} MiB a minute"
    if began is not None:
        because += f" since revision {began}"
    if unseen is not None:
        ahead = replace(ahead, seconds_to_kill=None, next_kill_at=None)
    if ahead.next_kill_at is not None:
        because += f"; next kill at {ahead.next_kill_at:%H:%M:%S}Z"
    return _finding(ledger, Verdict.SUPPORTED, because, found, ahead)


def _doubt(ledger: Ledger, found: Suspect, unseen: datetime | None) -> str:
    """Say why growth that killed nothing need not be a leak that goes on; empty where it must."""
    if _with_load(ledger):
        rate = f"grows by {found.mib_per_minute:.1f} MiB a minute"
        return f"{rate}, and its requests grow too: load or a leak"
    if unseen is not None:
        at = f"{unseen:%H:%M:%S}Z"
        return f"grew, and was not measured since {at}: whether it still does is not known"
    return ""


def _with_load(ledger: Ledger) -> bool:
    """Say whether the load explains the growth as well as a leak does.

    Not where pods that share the load do not grow.
    """
    said = {
        one.step.removeprefix(ledger.evidence.prefix): one.weighs
        for one in ledger.rows
        if one.weighs is not Weighs.NOT_MEASURED
    }
    grew = said.get(request_load.name) is Weighs.AGAINST
    return grew and said.get(siblings.name) is not Weighs.FOR


def _finding(
    ledger: Ledger,
    verdict: Verdict,
    because: str,
    found: Suspect | None = None,
    ahead: LeakForecast | None = None,
) -> Finding:
    return Finding(
        mode=NAME,
        verdict=verdict,
        confidence=round(max(0.0, min(0.97, ledger.confidence)), 2),
        because=because,
        rows=tuple(ledger.rows),
        subject=found.owner if found else None,
        container=found.container if found else "",
        forecast=ahead,
        remedies=REMEDIES if verdict is Verdict.SUPPORTED else (),
        explains=EXPLAINS if verdict is Verdict.SUPPORTED else (),
    )


MODE = FailureMode(
    name=NAME,
    title="memory leak",
    suspect=suspected_in(*OF_WORKLOADS, on_nodes=True),
    steps=(
        affected_pods,
        container_memory,
        request_load,
        recent_rollouts,
        container_stops,
        siblings,
        node_conditions,
    ),
    conclude=conclude,
    watch_steps=(affected_pods, container_memory, container_stops),
    judge=judge,
    relapse_seconds=relapse_seconds,
    watched="memory of each pod against its limit, its growth, kills, and ready replicas",
)
