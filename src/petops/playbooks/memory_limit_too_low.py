"""Memory limit too low: killed for its memory soon after the start, and flat below that.

The rival of the memory leak. Kills alone are either of the two: without measured memory that does
not grow with age, nothing is decided between them.
"""

from __future__ import annotations

from typing import Final

from petops.domain.diagnosis import Finding, Verdict
from petops.playbooks.base import OF_WORKLOADS, Case, Evidence, FailureMode, Ledger, suspected_in
from petops.playbooks.leak_suspect import Suspect, suspects, typical_life_seconds
from petops.playbooks.leak_watch import judge, relapse_seconds
from petops.playbooks.steps.memory import container_memory
from petops.playbooks.steps.workloads import affected_pods, container_stops, recent_rollouts

NAME = "memory-limit-too-low"
REMEDIES = ("undo-rollout", "raise-memory-limit", "profile-memory")
EXPLAINS = ("crash-loop", "bad-rollout", "failing-probe", "no-endpoints", "hpa-maxed")
KILLS: Final = 2
FEWEST_READINGS: Final = 3
# Under this share of the limit memory is far from it, and only a sudden rise can have reached it.
NEAR_RATIO: Final = 0.5


def conclude(case: Case, evidence: Evidence) -> Finding:
    """Look for repeated kills of a container whose memory is measured, and does not grow."""
    del case
    ledger = Ledger(mode=NAME, evidence=evidence)
    affected = evidence.fact(affected_pods)
    statement, refuted_if = "the kernel kills it at its limit", "it was not killed for its memory"
    if affected is None or not affected.pods:
        ledger.not_measured(affected_pods, statement, refuted_if=refuted_if)
        return ledger.finding(Verdict.UNDECIDED, "its pods are not known")
    memory = evidence.fact(container_memory)
    found = suspects(affected, memory.lifetimes if memory else ())[0]
    name = f"{found.owner.name}/{found.container}"
    if not found.kills or found.restarts < KILLS:
        seen = f"{len(found.kills)} OOMKilled, {found.restarts} restarts"
        ledger.refutes(container_stops, statement, seen=seen, refuted_if=refuted_if)
        because = f"{name} is not killed for its memory again and again"
        return ledger.finding(Verdict.REFUTED, because, subject=found.owner)
    lived = typical_life_seconds(found)
    seen = f"OOMKilled, {found.restarts} restarts, the last after {lived:.0f} s of life"
    ledger.supports(container_stops, 0.3, statement, seen=seen, refuted_if=refuted_if)
    flat = _flat_row(ledger, found)
    if flat is None:
        because = f"{name} is killed for its memory: a leak or too low a limit, growth not measured"
    else:
        because = f"{name} is killed for its memory, which "
        because += "does not grow with its age: its limit is too low" if flat else "grows: a leak"
    return ledger.finding(
        {True: Verdict.SUPPORTED, False: Verdict.REFUTED, None: Verdict.UNDECIDED}[flat],
        because,
        subject=found.owner,
        container=found.container,
        is_proven=False,
        remedies=REMEDIES,
        explains=EXPLAINS,
    )


def _flat_row(ledger: Ledger, found: Suspect) -> bool | None:
    """Write whether memory grows with age; None where too little was measured to say."""
    statement = "its memory does not grow with its age"
    refuted_if = "it grows in its lifetimes, or all of them lie on one line over age"
    if found.leaking or found.leaks_by_age:
        seen = f"+{found.mib_per_minute:.1f} MiB a minute"
        ledger.refutes(container_memory, statement, seen=seen, refuted_if=refuted_if)
        return False
    readings = [one.mib for life in found.lives for one in life.readings]
    limits = [life.limit_mib for life in found.lives if life.limit_mib]
    seen_long = any(one.readings >= FEWEST_READINGS for one in found.grown)
    if not limits or not (found.together is not None or seen_long):
        why = f"{len(readings)} readings of {len(found.lives)} lifetimes are too few"
        ledger.not_measured(container_memory, statement, refuted_if=refuted_if, why=why)
        return None
    low, high, limit = min(readings), max(readings), max(limits)
    seen = f"{low:.0f} to {high:.0f} MiB in {len(found.lives)} lifetimes, limit {limit:.0f} MiB"
    if high < NEAR_RATIO * limit:
        why = f"{seen}: what brought it to its limit was not seen"
        ledger.not_measured(container_memory, statement, refuted_if=refuted_if, why=why)
        return None
    ledger.supports(container_memory, 0.3, statement, seen=seen, refuted_if=refuted_if)
    return True


MODE = FailureMode(
    name=NAME,
    title="memory limit too low",
    suspect=suspected_in(*OF_WORKLOADS),
    steps=(affected_pods, container_memory, container_stops, recent_rollouts),
    conclude=conclude,
    watch_steps=(affected_pods, container_memory, container_stops),
    judge=judge,
    relapse_seconds=relapse_seconds,
    watched="memory against its limit, kills, and ready replicas",
)
