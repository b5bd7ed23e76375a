"""Exact changes: what a person approves, what is applied, and what would take it back.

Every change knows its edits: each field that it touches, with the value that stands there now and
the value that will. Digest, readable diff, comparison with the cluster, patch and inverse all
follow from them.
"""

from __future__ import annotations

import copy
import difflib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from petops.domain.subject import Subject

ACT_ANNOTATION = "petops.dev/act"
RESTARTED_ANNOTATION = "kubectl.kubernetes.io/restartedAt"
_TEMPLATE = ("spec", "template")

Json = Any


class Risk(StrEnum):
    """GREEN is reversible and narrow, YELLOW wants a person, RED wants two."""

    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One field: where it stands, what is there now, what will be.

    Values are canonical JSON, None is absent.

    In `path`, the segment `name=app` is the element of a list whose `name` is `app`.
    """

    path: tuple[str, ...]
    was: str | None
    to: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoRollout:
    """Go back to the pod template of an earlier revision."""

    subject: Subject
    uid: str
    from_revision: int
    to_revision: int
    was: str
    to: str

    @property
    def summary(self) -> str:
        revisions = f"revision {self.from_revision} -> {self.to_revision}"
        return f"undo the rollout of {self.subject.name}: {revisions}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartWorkload:
    """Replace the workload's pods one after another, as `kubectl rollout restart` does."""

    subject: Subject
    uid: str
    was: str | None
    to: str

    @property
    def summary(self) -> str:
        return f"restart {self.subject.name}, rolling"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetMemoryLimit:
    """Change one container's memory limit; `was` and `to` are Kubernetes quantities."""

    subject: Subject
    uid: str
    container: str
    was: str
    to: str

    @property
    def summary(self) -> str:
        name = f"{self.subject.name}/{self.container}"
        return f"change the memory limit of {name}: {self.was} -> {self.to}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """Something that a person has to do; petops changes nothing."""

    subject: Subject
    text: str

    @property
    def summary(self) -> str:
        return self.text


Change = UndoRollout | RestartWorkload | SetMemoryLimit | Advice
Act = UndoRollout | RestartWorkload | SetMemoryLimit


def edits(change: Change) -> tuple[Edit, ...]:
    """Return each field that `change` touches."""
    match change:
        case UndoRollout():
            return (Edit(path=_TEMPLATE, was=change.was, to=change.to),)
        case RestartWorkload():
            path = (*_TEMPLATE, "metadata", "annotations", RESTARTED_ANNOTATION)
            was = None if change.was is None else canonical(change.was)
            return (Edit(path=path, was=was, to=canonical(change.to)),)
        case SetMemoryLimit():
            resources = (*_TEMPLATE, "spec", "containers", f"name={change.container}", "resources")
            limit = (*resources, "limits", "memory")
            return (Edit(path=limit, was=canonical(change.was), to=canonical(change.to)),)
        case Advice():
            return ()


def inverse(change: Change) -> Change | None:
    """Return the change that takes `change` back; None where there is none (a restart, advice)."""
    match change:
        case UndoRollout():
            return UndoRollout(
                subject=change.subject,
                uid=change.uid,
                from_revision=change.to_revision,
                to_revision=change.from_revision,
                was=change.to,
                to=change.was,
            )
        case SetMemoryLimit():
            return SetMemoryLimit(
                subject=change.subject,
                uid=change.uid,
                container=change.container,
                was=change.to,
                to=change.was,
            )
        case RestartWorkload() | Advice():
            return None


def canonical(value: Json) -> str:
    """Return `value` as JSON with sorted keys and no spaces: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


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
        "summary": change.summary,
        "evidence": evidence,
    }
    return "sha256:" + hashlib.sha256(canonical(bound).encode()).hexdigest()


def at(found: Json, path: tuple[str, ...]) -> str | None:
    """Return the canonical JSON of what stands at `path`, or None where nothing does."""
    for segment in path:
        if isinstance(found, list):
            key, _, wanted = segment.partition("=")
            found = next((one for one in found if one.get(key) == wanted), None)
        elif isinstance(found, Mapping):
            found = found.get(segment)
        if found is None:
            return None
    return canonical(found)


def differs(found: Mapping[str, Json], change: Change) -> str | None:
    """Say in what `found`, the object as it is now, is not what `change` was planned on.

    None if in nothing.
    """
    uid = found["metadata"].get("uid", "")
    if uid != getattr(change, "uid", uid):
        return f"{change.subject} was deleted and made anew"
    for edit in edits(change):
        if at(found, edit.path) != edit.was:
            place = ".".join(edit.path)
            return f"{change.subject} was changed at {place} since the change was planned"
    return None


def applied(found: Mapping[str, Json], change: Change) -> dict[str, Json]:
    """Return a copy of the object `found` with the change made to it."""
    made: dict[str, Json] = copy.deepcopy(dict(found))
    for edit in edits(change):
        _write(made, edit.path, edit.to)
    return made


def _write(found: Json, path: tuple[str, ...], value: str | None) -> None:
    for segment in path[:-1]:
        if isinstance(found, list):
            key, _, wanted = segment.partition("=")
            found = next(one for one in found if one.get(key) == wanted)
        else:
            if found.get(segment) is None:
                found[segment] = {}
            found = found[segment]
    if value is None:
        found.pop(path[-1], None)
    else:
        found[path[-1]] = json.loads(value)


def merge_patch(before: Json, after: Json) -> Json:
    """Return the JSON merge patch (RFC 7386) that makes `after` of `before`."""
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        return after
    patch: dict[str, Json] = {key: None for key in before if key not in after}
    for key, value in after.items():
        if key not in before:
            patch[key] = value
        elif before[key] != value:
            patch[key] = merge_patch(before[key], value)
    return patch


def diff(was: Json, to: Json) -> tuple[str, ...]:
    """Return a unified diff of two objects as people read them, without file headers."""
    lines = difflib.unified_diff(_readable(was), _readable(to), lineterm="", n=2)
    return tuple(lines)[2:]


def _readable(value: Json, depth: int = 0) -> list[str]:
    """Return `value` in the manner of YAML, one scalar a line.

    It is for reading, not for parsing.
    """
    pad = "  " * depth
    lines: list[str] = []
    if isinstance(value, Mapping):
        for key in sorted(value):
            lines += _entry(f"{pad}{key}:", value[key], depth)
    elif isinstance(value, list):
        for one in value:
            lines += _entry(f"{pad}-", one, depth)
    return lines


def _entry(head: str, value: Json, depth: int) -> list[str]:
    if isinstance(value, Mapping | list) and value:
        return [head, *_readable(value, depth + 1)]
    return [f"{head} {json.dumps(value, ensure_ascii=False)}"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """What the change would do to its object: by the API server's word, or computed here."""

    diff: tuple[str, ...]
    by_server: bool
    refused: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardResult:
    """What one guard said of one change. `why` is empty where it is content."""

    name: str
    ok: bool
    why: str = ""


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
