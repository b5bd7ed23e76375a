"""What must hold for a change to be offered and made. Pure; each has one reason to refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from petops.domain.change import Change, SetMemoryLimit
from petops.domain.policy import Circumstances, Refusal
from petops.domain.quantity import bytes_of, short
from petops.remedies.base import Guard

ACTS_AN_HOUR: Final = 6
LIMIT_GROWS_AT_MOST: Final = 2.0


def unchanged_object(change: Change, now: Circumstances) -> Refusal | None:
    """The object is still the one that the change was planned on."""
    del change
    if now.changed_since is None:
        return None
    return Refusal(why=now.changed_since, lift="read the new proposal")


def unprotected_namespace(change: Change, now: Circumstances) -> Refusal | None:
    """Leave system namespaces alone."""
    namespace = change.subject.namespace
    if namespace not in now.protected_namespaces:
        return None
    return Refusal(
        why=f"namespace {namespace} is protected", lift="settings: repair.protected_namespaces"
    )


def accepted_dry_run(change: Change, now: Circumstances) -> Refusal | None:
    """The API server would accept the change."""
    del change
    if not now.dry_run_refused:
        return None
    return Refusal(why=f"the dry run was refused: {now.dry_run_refused}")


def stays_available(change: Change, now: Circumstances) -> Refusal | None:
    """A replica serves while the others are replaced."""
    del change
    if now.unavailable_at_most == 0 or now.desired_replicas == 0:
        return None  # pods are added before others go
    if now.ready_replicas - now.unavailable_at_most >= 1 or now.ready_replicas == 0:
        return None  # where none is ready there is nothing to lose
    return Refusal(
        why=f"{now.ready_replicas} of {now.desired_replicas} replicas are ready, and "
        f"{now.unavailable_at_most} may go at a time",
        lift="scale out first, or set maxUnavailable to 0",
    )


def within_disruption_budget(change: Change, now: Circumstances) -> Refusal | None:
    """The budget leaves room, unless no ready pod is lost or none is left to protect."""
    del change
    if now.disruptions_allowed is None or now.disruptions_allowed >= 1:
        return None
    if now.unavailable_at_most == 0 or now.ready_replicas < now.desired_replicas:
        return None
    return Refusal(why="the disruption budget allows no disruption now", lift="add a replica")


def symptom_still_there(change: Change, now: Circumstances) -> Refusal | None:
    """Nothing is repaired that is not broken (any more)."""
    del change
    if now.symptom_present is not False:
        return None
    return Refusal(why="the symptom is gone", lift="nothing needs to be done")


def hourly_budget(change: Change, now: Circumstances) -> Refusal | None:
    """An engine that acts again and again does not help."""
    del change
    if now.acts_last_hour < ACTS_AN_HOUR:
        return None
    return Refusal(
        why=f"{now.acts_last_hour} changes were made within the hour", lift="wait, or act by hand"
    )


def not_owned_by_gitops(change: Change, now: Circumstances) -> Refusal | None:
    """What a repository owns is put back at its next sync."""
    del change
    if not now.managed_by:
        return None
    return Refusal(
        why=f"{now.managed_by} owns the object and would take the change back",
        lift="make the change in its repository",
    )


def grows_at_most_twofold(change: Change, now: Circumstances) -> Refusal | None:
    """A limit is raised in bounds."""
    del now
    if not isinstance(change, SetMemoryLimit):
        return None
    if bytes_of(change.to) <= LIMIT_GROWS_AT_MOST * bytes_of(change.was):
        return None
    return Refusal(why=f"{change.to} is more than twice {change.was}")


def fits_nodes(change: Change, now: Circumstances) -> Refusal | None:
    """The nodes have the memory that the new limit admits."""
    if not isinstance(change, SetMemoryLimit) or now.node_headroom_bytes is None:
        return None
    more = bytes_of(change.to) - bytes_of(change.was)
    if more <= now.node_headroom_bytes:
        return None
    return Refusal(
        why=f"its node has {short(now.node_headroom_bytes)} left, the limit grows by {short(more)}",
        lift="add a node",
    )


def fits_quota(change: Change, now: Circumstances) -> Refusal | None:
    """The namespace's quota has room for the new limit, in every replica."""
    if not isinstance(change, SetMemoryLimit) or now.quota_headroom_bytes is None:
        return None
    more = (bytes_of(change.to) - bytes_of(change.was)) * max(1, now.desired_replicas)
    if more <= now.quota_headroom_bytes:
        return None
    return Refusal(
        why=f"the quota leaves {short(now.quota_headroom_bytes)}, {short(more)} are needed",
        lift="raise the namespace's quota",
    )


def _guard(check: Callable[[Change, Circumstances], Refusal | None]) -> Guard:
    return Guard(name=getattr(check, "__name__", "").replace("_", "-"), check=check)


ALWAYS: Final = tuple(
    map(
        _guard,
        (
            unchanged_object,
            unprotected_namespace,
            accepted_dry_run,
            not_owned_by_gitops,
            symptom_still_there,
            hourly_budget,
        ),
    )
)
ROLLS_PODS: Final = (*ALWAYS, _guard(stays_available), _guard(within_disruption_budget))
CHANGES_LIMIT: Final = (
    *ROLLS_PODS,
    _guard(grows_at_most_twofold),
    _guard(fits_nodes),
    _guard(fits_quota),
)
