"""Exact changes: what a person approves, what is applied, and what would take it back.

Every change knows its edits: each field that it touches, with the value that stands there now and
the value that will. Digest, readable diff, comparison with the cluster, patch and inverse all
follow from them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from petops.domain.acts import (
    Act,
    Advice,
    Change,
    Cordon,
    DrainNode,
    EvictPod,
    PodTarget,
    RestartWorkload,
    ScaleOut,
    SetCpuLimit,
    SetHpa,
    SetMemoryLimit,
    Uncordon,
    UndoRollout,
)
from petops.domain.editing import (
    Edit,
    Json,
    at,
    canonical,
    diff,
    edited,
    first_difference,
    merge_patch,
)
from petops.domain.subject import Kind, Subject

__all__ = [
    "ACT_ANNOTATION",
    "RESTARTED_ANNOTATION",
    "Act",
    "Advice",
    "Change",
    "Cordon",
    "DrainNode",
    "DryRun",
    "Edit",
    "EvictPod",
    "GuardResult",
    "Json",
    "PodTarget",
    "Progress",
    "Proposal",
    "RestartWorkload",
    "Risk",
    "ScaleOut",
    "SetCpuLimit",
    "SetHpa",
    "SetMemoryLimit",
    "Uncordon",
    "UndoRollout",
    "applied",
    "at",
    "canonical",
    "diff",
    "differs",
    "digest",
    "edits",
    "hpa_spec",
    "inverse",
    "is_stepwise",
    "merge_patch",
    "own_edits",
    "pod_edits",
    "target",
]

ACT_ANNOTATION = "petops.dev/act"
RESTARTED_ANNOTATION = "kubectl.kubernetes.io/restartedAt"
_TEMPLATE: Final = ("spec", "template")
_UNSCHEDULABLE: Final = ("spec", "unschedulable")


class Risk(StrEnum):
    """GREEN is reversible and narrow, YELLOW wants a person, RED wants two."""

    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"


def target(change: Act) -> Subject:
    """Return the object that the change is made to, and that carries its act's id."""
    if isinstance(change, SetHpa):
        return replace(change.subject, kind=Kind.AUTOSCALER, name=change.name)
    return change.subject


def edits(change: Change) -> tuple[Edit, ...]:
    """Return each field that `change` touches, of its object and of the pods it names."""
    return (*own_edits(change), *pod_edits(change))


def own_edits(change: Change) -> tuple[Edit, ...]:  # noqa: PLR0911 - one flat table of cases
    """Return the fields of the change's own object."""
    match change:
        case UndoRollout():
            return (Edit(path=_TEMPLATE, was=change.was, to=change.to),)
        case RestartWorkload():
            path = (*_TEMPLATE, "metadata", "annotations", RESTARTED_ANNOTATION)
            before = None if change.was is None else canonical(change.was)
            return (Edit(path=path, was=before, to=canonical(change.to)),)
        case SetMemoryLimit() | SetCpuLimit() if not change.pods:
            return (_limit(change, (*_TEMPLATE, "spec")),)
        case ScaleOut():
            was, to = canonical(change.was), canonical(change.to)
            return (Edit(path=("spec", "replicas"), was=was, to=to),)
        case SetHpa(was=None):
            return (Edit(path=("spec",), was=None, to=canonical(hpa_spec(change))),)
        case SetHpa():
            after = None if change.to is None else canonical(change.to)
            return (Edit(path=("spec", "maxReplicas"), was=canonical(change.was), to=after),)
        case Cordon() | DrainNode(was_cordoned=False):
            return (Edit(path=_UNSCHEDULABLE, was=None, to="true"),)
        case Uncordon():
            return (Edit(path=_UNSCHEDULABLE, was="true", to=None),)
        case DrainNode():
            return (Edit(path=_UNSCHEDULABLE, was="true", to="true"),)
        case _:
            return ()


def pod_edits(change: Change) -> tuple[Edit, ...]:
    """Return the fields of each pod that is changed in place."""
    if isinstance(change, SetMemoryLimit | SetCpuLimit) and change.pods:
        return (_limit(change, ("spec",)),)
    return ()


def _limit(change: SetMemoryLimit | SetCpuLimit, spec: tuple[str, ...]) -> Edit:
    resource = "memory" if isinstance(change, SetMemoryLimit) else "cpu"
    path = (*spec, "containers", f"name={change.container}", "resources", "limits", resource)
    return Edit(path=path, was=canonical(change.was), to=canonical(change.to))


def hpa_spec(change: SetHpa) -> Json:
    """Return the specification of the autoscaler that `change` makes."""
    utilization = {"type": "Utilization", "averageUtilization": change.cpu_percent}
    return {
        "scaleTargetRef": {
            "apiVersion": "apps/v1",
            "kind": str(change.subject.kind),
            "name": change.subject.name,
        },
        "minReplicas": change.minimum,
        "maxReplicas": change.to,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": utilization}}],
    }


def inverse(change: Change) -> Act | None:  # noqa: PLR0911 - one flat table of cases
    """Return the change that takes `change` back; None where there is none.

    A restart and an eviction cannot be taken back, nor can advice; of a drain, only the cordon can.
    """
    match change:
        case UndoRollout(from_revision=newer, to_revision=older):
            back = replace(change, from_revision=older, to_revision=newer)
            return replace(back, was=change.to, to=change.was)
        case SetMemoryLimit() | SetCpuLimit():
            return replace(change, was=change.to, to=change.was)
        case ScaleOut():
            return replace(change, was=change.to, to=change.was)
        case SetHpa():
            return replace(change, was=change.to, to=change.was)
        case Cordon() | DrainNode(was_cordoned=False):
            return Uncordon(subject=change.subject, uid=change.uid)
        case Uncordon():
            return Cordon(subject=change.subject, uid=change.uid)
        case _:
            return None


def is_stepwise(change: Change) -> bool:
    """Say whether the change goes on after its first write, pod by pod."""
    return isinstance(change, DrainNode | EvictPod) or bool(pod_edits(change))


def digest(*, incident: str, change: Change, evidence: str) -> str:
    """Return what an approval is bound to.

    Incident, cluster, target, its fields now and then, evidence.

    The resourceVersion is left out on purpose: every status write moves it.
    """
    subject = change.subject
    bound = {
        "incident": incident,
        "cluster": [subject.cluster.account, subject.cluster.region, subject.cluster.name],
        "kind": type(change).__name__,
        "target": [str(subject.kind), subject.namespace, subject.name, getattr(change, "uid", "")],
        "edits": [[list(edit.path), edit.was, edit.to] for edit in edits(change)],
        "pods": [[one.namespace, one.name, one.uid] for one in getattr(change, "pods", ())],
        "summary": change.summary,
        "handover": getattr(change, "handover", ""),
        "evidence": evidence,
    }
    return "sha256:" + hashlib.sha256(canonical(bound).encode()).hexdigest()


def differs(found: Mapping[str, Json], change: Act) -> str | None:
    """Say in what `found`, the object as it is now, is not what `change` was planned on.

    None if in nothing.
    """
    name = target(change)
    uid = found["metadata"].get("uid", "")
    if uid != change.uid and not isinstance(change, SetHpa):
        return f"{name} was deleted and made anew"
    if isinstance(change, SetHpa) and change.uid and uid != change.uid:
        return f"{name} was deleted and made anew"
    place = first_difference(found, own_edits(change))
    return None if place is None else f"{name} was changed at {place} since the change was planned"


def applied(found: Mapping[str, Json], change: Act) -> dict[str, Json]:
    """Return a copy of the change's object `found` with the change made to it."""
    return edited(found, own_edits(change))


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """What the change would do to its object: by the API server's word, or computed here."""

    diff: tuple[str, ...]
    by_server: bool
    refused: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardResult:
    """What one guard said of one change. `why` is empty where it is content.

    `known` is false where it could not find out; then `why` says why not.
    """

    name: str
    ok: bool
    why: str = ""
    known: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a change is that goes on pod by pod.

    `done` is what this step did, `left` what is still to do, `leaving` what was done and is not
    over yet; `blocked` says what stands against it.
    """

    done: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    leaving: tuple[str, ...] = ()
    blocked: str = ""

    @property
    def is_finished(self) -> bool:
        return not self.left and not self.leaving


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """One change on offer: everything a person needs to decide on it."""

    remedy: str
    risk: Risk
    change: Change
    inverse: Change | None
    digest: str
    dry_run: DryRun
    guards: tuple[GuardResult, ...]
    watched: str
    expires_at: datetime
