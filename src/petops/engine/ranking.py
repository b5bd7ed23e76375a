"""Ranks what failure modes found: the cause, what it explains, and what is broken besides. Pure.

A finding that another explains is no cause; it joins that one with its evidence and its remedies.
So the cause is the one that nothing else explains, and of several the one that is surest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from petops.domain.diagnosis import Finding, Verdict
from petops.domain.subject import Kind

LEAST_CONFIDENCE = 0.5
UNDO = "undo-rollout"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """The cause with what joined it, what else is broken, and what else was thought of."""

    cause: Finding | None
    also_broken: tuple[Finding, ...]
    rivals: tuple[Finding, ...]


def ranked(findings: Sequence[Finding]) -> Ranked:
    """Return the findings in their parts; rivals are in order of how sure they are."""
    order = sorted(
        findings,
        key=lambda one: (one.verdict is Verdict.SUPPORTED, one.confidence),
        reverse=True,
    )
    held = [one for one in order if _holds(one)]
    roots = [one for one in held if not any(explains(other, one) for other in held)] or held[:1]
    if not roots:
        return Ranked(cause=None, also_broken=(), rivals=tuple(order))
    cause, *others = roots
    joined = _explained_by(cause, [one for one in order if one.verdict is Verdict.SUPPORTED])
    parts = {id(one) for one in (cause, *others, *joined)}
    return Ranked(
        cause=_with(cause, joined),
        also_broken=tuple(others),
        rivals=tuple(one for one in order if id(one) not in parts),
    )


def explains(one: Finding, other: Finding) -> bool:
    """Say whether `other` is a consequence of `one`: of that mode, and about the same things.

    A node's trouble reaches what runs on it, and a workload's the Service in front of it.
    """
    if one is other or other.mode not in one.explains:
        return False
    if one.subject is None or other.subject is None or one.subject == other.subject:
        return True
    return one.subject.kind is Kind.NODE or other.subject.kind is Kind.SERVICE


def _holds(one: Finding) -> bool:
    return one.verdict is Verdict.SUPPORTED and one.confidence >= LEAST_CONFIDENCE


def _explained_by(cause: Finding, held: Sequence[Finding]) -> list[Finding]:
    """Return what the cause explains, directly or through what it explains."""
    found: list[Finding] = []
    grown = [cause]
    while grown:
        from_here = grown.pop()
        for one in held:
            if one is not cause and one not in found and explains(from_here, one):
                found.append(one)
                grown.append(one)
    return found


def _with(cause: Finding, joined: Sequence[Finding]) -> Finding:
    """Return the cause with the evidence of what it explains, and with its way back."""
    if not joined:
        return cause
    rollout = next(
        (one for one in joined if one.began_with_revision and one.target == cause.target), None
    )
    remedies = cause.remedies
    began, good = cause.began_with_revision, cause.good_revision
    if rollout is not None and good is None:
        began, good = rollout.began_with_revision, rollout.good_revision
        remedies = (UNDO, *(name for name in remedies if name != UNDO))
    return replace(
        cause,
        rows=(*cause.rows, *(row for one in joined for row in one.rows)),
        remedies=remedies,
        began_with_revision=began,
        good_revision=good,
    )
