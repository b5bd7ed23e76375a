"""What is broken besides in the namespace, as far as the other pods' own status tells. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime

from petops.domain.diagnosis import Finding, Row, Verdict, Weighs
from petops.domain.facts import Pod
from petops.domain.subject import Kind, Subject
from petops.playbooks.base import Case, Evidence
from petops.playbooks.pod_trouble import names, quoted, trouble
from petops.playbooks.steps.objects import nearby_pods

CONFIDENCE = 0.5
_MOST = 10
_SAID = {
    "image-pull": "an image cannot be pulled",
    "crash-loop": "a container ends again and again, or cannot be made",
    "memory-limit-too-low": "killed for its memory again and again: a leak, or too low a limit",
    "failing-probe": "it runs and is not ready",
    "unschedulable": "no node for its pods",
    "job-failed": "its pods failed",
}


def nearby(case: Case, evidence: Evidence, cause: Finding | None) -> tuple[Finding, ...]:
    """Return one finding for each other owner and trouble that the cause does not explain.

    Only what is seen from outside: an alarm of its own would be looked into.
    """
    found = evidence.fact(nearby_pods)
    if found is None:
        return ()
    order = troubled(found.pods, case.window.end, lambda mode, pod: _follows(mode, pod, cause))
    return tuple(_finding(owner, mode, pods, evidence) for owner, mode, pods in order[:_MOST])


def troubled(
    pods: Sequence[Pod], now: datetime, follows: Callable[[str, Pod], bool] = lambda *_: False
) -> list[tuple[Subject, str, list[Pod]]]:
    """Return who has pods in trouble, which, and those that do not follow of what is known."""
    grouped: dict[tuple[Subject, str], list[Pod]] = defaultdict(list)
    for pod in pods:
        mode = trouble(pod, now, pods)
        if mode and not follows(mode, pod):
            grouped[pod.owner, mode].append(pod)
    order = sorted(grouped.items(), key=lambda one: (-len(one[1]), str(one[0][0])))
    return [(owner, mode, found) for (owner, mode), found in order]


def _follows(mode: str, pod: Pod, cause: Finding | None) -> bool:
    """Say whether a node's trouble, which is the cause, reaches this pod as well."""
    if cause is None or cause.subject is None or cause.subject.kind is not Kind.NODE:
        return False
    return mode in cause.explains and pod.node in {"", cause.subject.name}


def seen_of(mode: str, pods: Sequence[Pod]) -> str:
    """Say what ails these pods, as far as it is seen from outside."""
    return f"{_SAID.get(mode, mode)}, in {len(pods)} pods ({names(pods)})"


def _finding(owner: Subject, mode: str, pods: Sequence[Pod], evidence: Evidence) -> Finding:
    because = f"{owner.name}: {seen_of(mode, pods)}"
    said = next(
        (
            text
            for pod in pods
            for text in (pod.unscheduled, *(one.waiting_message for one in pod.containers))
            if text
        ),
        "",
    )
    row = Row(
        mode=mode,
        step=nearby_pods.name,
        statement=_SAID.get(mode, mode),
        seen=quoted(said) if said else names(pods),
        refuted_if="its pods are well",
        weighs=Weighs.FOR,
        asked=evidence.asked(nearby_pods),
    )
    return Finding(
        mode=mode,
        verdict=Verdict.SUPPORTED,
        confidence=CONFIDENCE,
        because=because,
        rows=(row,),
        subject=owner,
    )
