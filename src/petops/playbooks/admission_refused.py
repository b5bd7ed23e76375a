"""Admission refused: the API server lets no pod of it in, so that there is none to look at.

Who says no is told by the API server's own words (`admission_words`): a ServiceAccount that is
missing, PodSecurity, a LimitRange, a webhook. Look-alikes: a quota that is used up
(`quota-exceeded`), pods that wait for a node (they exist), a refusal that is over (a pod was made
since).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from petops.domain.diagnosis import Finding, Verdict
from petops.domain.facts import AffectedPods, Pod, Rollouts
from petops.domain.objects import Occurrence
from petops.domain.subject import Kind
from petops.playbooks import refusals
from petops.playbooks.admission_words import (
    ADVICE,
    OF_ALL,
    OF_TEMPLATE,
    SAID,
    how_called,
    tail_of,
    why_not,
)
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
from petops.playbooks.pod_trouble import ago, living, names, quoted
from petops.playbooks.pod_watch import for_two_minutes, unclear
from petops.playbooks.refusals import Refusal, made_since, missing_row
from petops.playbooks.steps.objects import object_events
from petops.playbooks.steps.workloads import affected_pods, principal, recent_rollouts

NAME = "admission-refused"
REMEDIES = ("undo-rollout", "fix-admission")
# What refuses whatever is asked of it: no earlier revision would be let in either.
OF_ALL_REMEDIES = ("fix-admission",)
EXPLAINS = ("bad-rollout", "no-endpoints", "hpa-maxed")
# Controllers try again within seconds at first: what is applied together may come in any order.
SURE_SECONDS: Final = 30.0
_SLACK_SECONDS: Final = 120.0


def conclude(case: Case, evidence: Evidence) -> Finding:
    """Look for refusals of new pods that go on, and for pods that are missing."""
    ledger = Ledger(mode=NAME, evidence=evidence)
    affected, events = evidence.fact(affected_pods), evidence.fact(object_events)
    rollouts = evidence.fact(recent_rollouts)
    statement, refuted_if = "its pods are not let in", "no pod was refused"
    if affected is None or (events is None and rollouts is None):
        ledger.not_measured(object_events, statement, refuted_if=refuted_if)
        return ledger.finding(Verdict.UNDECIDED, "its events are not known")
    now = case.window.end
    occurrences = events.occurrences if events else ()
    every = refusals.refusals(occurrences, rollouts, now)
    said = [one for one in every if why_not(one.message) != "quota"]
    if not said:
        if rollouts is None and principal(affected).kind is Kind.DEPLOYMENT:
            ledger.not_measured(recent_rollouts, statement, refuted_if=refuted_if)
            return ledger.finding(Verdict.UNDECIDED, "its ReplicaSets are not known")
        seen = f"no refusal in {len(occurrences)} events" if events else "its Deployment has none"
        ledger.refutes(object_events, statement, seen=seen, refuted_if=refuted_if)
        return ledger.finding(Verdict.REFUTED, "no admission refuses its pods")
    over = {one.by for one in said if one.by and made_since(affected.pods, one)}
    left = [one for one in said if one.by not in over]
    if not any(one.by for one in left) and over:
        seen = f"{names(_after(affected, said))} was made after the last refusal"
        ledger.refutes(affected_pods, statement, seen=seen, refuted_if="pods are refused still")
        return ledger.finding(Verdict.REFUTED, "its pods are let in again")
    return _weighed(ledger, affected, rollouts, left, now)


def _after(affected: AffectedPods, said: Iterable[Refusal]) -> list[Pod]:
    return list({pod.uid: pod for one in said for pod in made_since(affected.pods, one)}.values())


def _weighed(
    ledger: Ledger,
    affected: AffectedPods,
    rollouts: Rollouts | None,
    left: list[Refusal],
    now: datetime,
) -> Finding:
    known = [(key, one) for one in left if (key := why_not(one.message))]
    why, refusal = known[0] if known else ("", left[0])
    first = min((one.first_at for one in left if one.first_at), default=None)
    lasts = first is None or (now - first).total_seconds() >= SURE_SECONDS
    certain = 0.5 if why not in {"", "forbidden"} else 0.35
    last = f", last {ago(refusal.last_at, now)}" if refusal.last_at else ""
    ledger.supports(
        object_events,
        certain if lasts else 0.2,
        "its pods are not let in",
        seen=f"{quoted(tail_of(refusal.message), 300)}{last}",
        refuted_if="no pod was refused",
    )
    missing = missing_row(ledger, affected, rollouts, refusal.last_at)
    owner = principal(affected)
    how = how_called(refusal.message) if why == "webhook-away" else ""
    if missing is False:
        because = f"as many pods of {owner.name} are there as should be"
        return ledger.finding(Verdict.REFUTED, because, subject=owner)
    goes_on = missing is not None or _is_tried_again(ledger, left, now)
    because = f"the API server lets no pod of {owner.name} in: {SAID[why]}"
    because += f" ({how})" if how else ""
    told = quoted(tail_of(refusal.message), 160)
    return ledger.finding(
        Verdict.SUPPORTED if goes_on else Verdict.UNDECIDED,
        f"{because}: {told}",
        subject=owner,
        is_proven=False,
        remedies=REMEDIES if why in OF_TEMPLATE else OF_ALL_REMEDIES,
        explains=EXPLAINS,
        advice=f"{ADVICE[why]} ({told})",
    )


def _is_tried_again(ledger: Ledger, left: list[Refusal], now: datetime) -> bool:
    """Say whether the refusal can go on: a controller's pauses double, and no try is overdue."""
    first = min((one.first_at for one in left if one.first_at), default=None)
    last = max((one.last_at for one in left if one.last_at), default=None)
    if first is None or last is None:
        return True
    quiet, so_far = (now - last).total_seconds(), (last - first).total_seconds()
    if quiet <= 2 * so_far + _SLACK_SECONDS:
        return True
    ledger.opposes(
        object_events,
        0.15,
        "its controller still tries",
        seen=f"the last try was {ago(last, now)}, after tries for {so_far:.0f} s",
        refuted_if="no try was refused when the next one was due",
    )
    return False


def of_revision(name: str, events: Iterable[Occurrence], now: datetime) -> tuple[Refusal, ...]:
    """Return the refusals that a ReplicaSet's own pod template is to blame for."""
    return tuple(
        one
        for one in refusals.refusals(events, None, now)
        if one.by == name and why_not(one.message) in OF_TEMPLATE
    )


def refuses_all(name: str, events: Iterable[Occurrence], now: datetime) -> bool:
    """Say whether a ReplicaSet's pods are refused by what would let no other pod in either."""
    latest = next((one for one in refusals.refusals(events, None, now) if one.by == name), None)
    return latest is not None and why_not(latest.message) in OF_ALL


def judge(case: Case, evidence: Evidence, finding: Finding, since: datetime | None) -> Judgement:
    """Say whether all pods that should be there are, and ready.

    Where it is not known how many there should be: whether none was refused since the newest came.
    """
    affected, rollouts = evidence.fact(affected_pods), evidence.fact(recent_rollouts)
    events = evidence.fact(object_events)
    if affected is None or rollouts is not None:
        return refusals.judge(case, evidence, finding, since)
    if events is None:
        return unclear(evidence.why_unknown(object_events))
    if principal(affected).kind is Kind.DEPLOYMENT:
        return unclear(evidence.why_unknown(recent_rollouts))
    pods = living(affected.pods)
    ready = sum(pod.ready for pod in pods)
    refused = [
        one
        for one in refusals.refusals(events.occurrences, None, case.window.end)
        if not made_since(affected.pods, one)
    ]
    enough = bool(pods) and ready == len(pods) and not refused
    return Judgement(
        symptom_gone=enough,
        cause=CauseNow.GONE if enough else CauseNow.UNCLEAR,
        signals=(
            f"{ready} of {len(pods)} pods ready",
            "pods are refused" if refused else "no pod was refused since",
        ),
    )


MODE = FailureMode(
    name=NAME,
    title="pods are not let in",
    suspect=suspected_in(*OF_WORKLOADS),
    steps=(affected_pods, recent_rollouts, object_events),
    conclude=conclude,
    watch_steps=(affected_pods, recent_rollouts, object_events),
    judge=judge,
    relapse_seconds=for_two_minutes,
    watched="whether all pods can be made, and ready replicas",
)
