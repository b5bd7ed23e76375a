"""What must hold for any change to be offered and made. Pure; each has one reason to refuse.

Every refusal says why, and what would lift it.
"""

from __future__ import annotations

from typing import Final

from petops.domain.change import Advice, Change, DrainNode, pod_edits
from petops.domain.circumstances import Circumstances
from petops.domain.policy import Refusal, Unclear
from petops.remedies.base import Guard, Weight, guard


def unchanged_object(change: Change, now: Circumstances) -> Refusal | None:
    """The object is still the one that the change was planned on."""
    del change
    if now.changed_since is None:
        return None
    return Refusal(why=now.changed_since, lift="read the new proposal")


def unprotected_namespace(change: Change, now: Circumstances) -> Refusal | None:
    """Leave system namespaces alone."""
    namespaces = {change.subject.namespace}
    if isinstance(change, DrainNode):
        namespaces = {one.namespace for one in change.pods}
    protected = sorted(namespaces & now.rules.protected_namespaces)
    if not protected:
        return None
    return Refusal(
        why=f"namespace {protected[0]} is protected", lift="settings: engine.protected_namespaces"
    )


def accepted_dry_run(change: Change, now: Circumstances) -> Refusal | None:
    """The API server would accept the change."""
    del change
    if not now.dry_run_refused:
        return None
    return Refusal(
        why=f"the dry run was refused: {now.dry_run_refused}", lift="do what the cluster asks for"
    )


def symptom_still_there(change: Change, now: Circumstances) -> Refusal | Unclear | None:
    """Nothing is repaired that is not broken (any more); taking back is not repairing."""
    del change
    if now.takes_back or now.symptom_present:
        return None
    if now.symptom_present is None:
        return Unclear(why="the symptom was not measured just now")
    return Refusal(why="the symptom is gone", lift="nothing needs to be done")


def hourly_budget(change: Change, now: Circumstances) -> Refusal | None:
    """An engine that acts again and again does not help."""
    rules = now.rules
    if now.takes_back:
        return None
    if now.acts_on_workload >= rules.acts_an_hour_on_workload:
        made = f"{now.acts_on_workload} changes were made to {change.subject.name} within the hour"
        return Refusal(why=made, lift="wait, act by hand, or settings: repair.acts_an_hour_on_one")
    if now.acts_in_cluster >= rules.acts_an_hour:
        made = f"{now.acts_in_cluster} changes were made in the cluster within the hour"
        return Refusal(why=made, lift="wait, act by hand, or settings: repair.acts_an_hour")
    return None


def outside_freezes(change: Change, now: Circumstances) -> Refusal | None:
    """Nothing is changed while changes are frozen."""
    frozen = next(
        (one for one in now.rules.freezes if one.holds(now.now, change.subject.namespace)), None
    )
    if frozen is None or now.takes_back:
        return None
    return Refusal(
        why=f"changes are frozen: {frozen.name}",
        lift=f"it ends at {frozen.until}; settings: [[freeze]]",
    )


def not_owned_by_gitops(change: Change, now: Circumstances) -> Refusal | None:
    """What a repository owns is put back at its next sync."""
    if isinstance(change, Advice) or now.rules.may_change(now.managed_by):
        return None
    return Refusal(
        why=f"{now.managed_by} owns the object and would take the change back",
        lift="make the change in its repository, or settings: repair.gitops_allowed",
    )


def petops_is_permitted(change: Change, now: Circumstances) -> Refusal | Unclear | None:
    """Petops may make the change; where not, it still offers it for somebody who may."""
    del change
    if now.lacks is None:
        return Unclear(why=now.why_unknown("permission"))
    if not now.lacks:
        return None
    return Refusal(
        why=f"petops may not {now.lacks}",
        lift="grant it (`petops manifests`), or make the change by hand from its diff",
    )


def approver_is_permitted(change: Change, now: Circumstances) -> Refusal | Unclear | None:
    """Nobody makes petops do what they could not do themselves."""
    del change
    if now.approver is None or now.approver_lacks == "":
        return None
    if now.approver_lacks is None:
        return Unclear(why=now.why_unknown("approver"))
    return Refusal(
        why=f"{now.approver.user} may not {now.approver_lacks}, by Kubernetes' word",
        lift="grant it, or map the person to a user who may: settings: [[person]]",
    )


def stays_available(change: Change, now: Circumstances) -> Refusal | None:
    """A replica serves while the others are replaced."""
    if pod_edits(change):
        return None  # in place: nothing is replaced
    if now.unavailable_at_most == 0 or now.desired_replicas == 0:
        return None  # pods are added before others go
    if now.ready_replicas - now.unavailable_at_most >= 1 or now.ready_replicas == 0:
        return None  # where none is ready there is nothing to lose
    return Refusal(
        why=f"{now.ready_replicas} of {now.desired_replicas} replicas are ready, and "
        f"{now.unavailable_at_most} may go at a time",
        lift="scale out first, or set maxUnavailable to 0",
    )


def within_disruption_budget(change: Change, now: Circumstances) -> Refusal | Unclear | None:
    """The budget leaves room, unless no ready pod is lost or none is left to protect."""
    if pod_edits(change):
        return None
    if now.unavailable_at_most == 0 or now.ready_replicas < now.desired_replicas:
        return None
    if now.disruptions_allowed is None:
        return Unclear(why=now.why_unknown("budgets"))
    if now.disruptions_allowed >= 1:
        return None
    return Refusal(why="the disruption budget allows no disruption now", lift="add a replica")


ALWAYS: Final[tuple[Guard, ...]] = (
    guard(unchanged_object),
    guard(unprotected_namespace),
    guard(accepted_dry_run),
    guard(not_owned_by_gitops),
    guard(symptom_still_there),
    guard(hourly_budget, Weight.MARKS),
    guard(outside_freezes, Weight.MARKS),
    guard(petops_is_permitted, Weight.MARKS),
    guard(approver_is_permitted, is_strict=True),
)
ABOUT_THE_PERSON: Final = "approver-is-permitted"
ROLLS_PODS: Final[tuple[Guard, ...]] = (
    *ALWAYS,
    guard(stays_available),
    guard(within_disruption_budget),
)
