"""Quota exceeded: the namespace's quota refuses new pods, so that there is no pod to look at.

Look-alikes: pods that wait for a node (they exist), a refusal by another policy.
"""

from __future__ import annotations

import re
from typing import Final

from petops.domain.diagnosis import Finding, Verdict
from petops.domain.objects import Quotas
from petops.playbooks.base import OF_WORKLOADS, Case, Evidence, FailureMode, Ledger, suspected_in
from petops.playbooks.pod_trouble import quoted
from petops.playbooks.pod_watch import for_two_minutes
from petops.playbooks.refusals import judge, missing_row, refusals, refused_at
from petops.playbooks.steps.objects import object_events, quotas
from petops.playbooks.steps.workloads import affected_pods, principal, recent_rollouts

NAME = "quota-exceeded"
REMEDIES = ("raise-quota", "lower-requests")
EXPLAINS = ("bad-rollout", "no-endpoints", "hpa-maxed")
USED_RATIO: Final = 0.5
_EXCEEDED: Final = re.compile(
    r"is forbidden: exceeded quota: ([a-z0-9.-]+), requested: (\S+), used: (\S+), limited: (\S+)"
)


def refused(message: str) -> re.Match[str] | None:
    """Return the quota's name, and what was asked, used and admitted, by the API server's words."""
    return _EXCEEDED.search(message)


def conclude(case: Case, evidence: Evidence) -> Finding:
    """Look for refusals of new pods, pods that are missing, and the quota's own figures."""
    ledger = Ledger(mode=NAME, evidence=evidence)
    affected, events = evidence.fact(affected_pods), evidence.fact(object_events)
    rollouts = evidence.fact(recent_rollouts)
    statement, refuted_if = "a quota refuses its pods", "no pod was refused"
    if affected is None or (events is None and rollouts is None):
        ledger.not_measured(object_events, statement, refuted_if=refuted_if)
        return ledger.finding(Verdict.UNDECIDED, "its events are not known")
    said = refusals(events.occurrences if events else (), rollouts, case.window.end)
    found = next((match for one in said if (match := refused(one.message))), None)
    if found is None:
        seen = "its Deployment tells of none; its events are not known"
        seen = f"no refusal in {len(events.occurrences)} events" if events else seen
        ledger.refutes(object_events, statement, seen=seen, refuted_if=refuted_if)
        return ledger.finding(Verdict.REFUTED, "no quota refuses its pods")
    ledger.supports(
        object_events, 0.5, statement, seen=quoted(found[0], 240), refuted_if=refuted_if
    )
    missing = missing_row(ledger, affected, rollouts, refused_at(events, refused))
    full = _quota_row(ledger, evidence.fact(quotas), found[1])
    holds = missing is not False and full is not False
    owner = principal(affected)
    return ledger.finding(
        Verdict.SUPPORTED if holds else Verdict.UNDECIDED,
        f"quota {found[1]} refuses pods of {owner.name}: {found[2]} asked, {found[3]} of "
        f"{found[4]} used",
        subject=owner,
        is_proven=False,
        remedies=REMEDIES,
        explains=EXPLAINS,
    )


def _quota_row(ledger: Ledger, found: Quotas | None, name: str) -> bool | None:
    statement, refuted_if = "the quota is used up", "it leaves more than half"
    own = [one for one in (found.quotas if found else ()) if one.name == name and one.used_ratio]
    if not own:
        why = "" if found is None else "the quota's figures are not known"
        ledger.not_measured(quotas, statement, refuted_if=refuted_if, why=why)
        return None
    fullest = max(own, key=lambda one: one.used_ratio or 0.0)
    seen = f"{fullest.resource}: {fullest.used} of {fullest.hard} used"
    if (fullest.used_ratio or 0.0) >= USED_RATIO:
        ledger.supports(quotas, 0.1, statement, seen=seen, refuted_if=refuted_if)
        return True
    ledger.refutes(quotas, statement, seen=seen, refuted_if=refuted_if)
    return False


MODE = FailureMode(
    name=NAME,
    title="quota exceeded",
    suspect=suspected_in(*OF_WORKLOADS),
    steps=(affected_pods, recent_rollouts, object_events, quotas),
    conclude=conclude,
    watch_steps=(affected_pods, recent_rollouts),
    judge=judge,
    relapse_seconds=for_two_minutes,
    watched="whether all pods can be made, and ready replicas",
)
