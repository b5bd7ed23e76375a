"""Failing probe: containers run, and their probe says that they are not well.

Readiness keeps them out of their Services; liveness and startup kill them. Look-alikes: a start
that is under way, a program that ended by itself, a node that went away, a probe that failed once.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from petops.domain.diagnosis import Finding, Verdict
from petops.domain.facts import Container, NodeConditions, Pod
from petops.domain.objects import Occurrence
from petops.playbooks.base import OF_WORKLOADS, Case, Evidence, FailureMode, Ledger, suspected_in
from petops.playbooks.crash_loop import probe_kills
from petops.playbooks.pod_trouble import (
    LOOP_SECONDS,
    living,
    patience_seconds,
    unready_seconds,
    worst_of,
)
from petops.playbooks.pod_watch import for_two_minutes, judged_by
from petops.playbooks.steps.objects import nearby_pods, object_events
from petops.playbooks.steps.workloads import affected_pods, node_conditions, recent_rollouts

NAME = "failing-probe"
REMEDIES = ("undo-rollout", "look-closer")
KILL_REMEDIES = ("undo-rollout", "fix-probe")
EXPLAINS = ("no-endpoints", "hpa-maxed")

FAILED: Final = re.compile(r"(Readiness|Liveness|Startup) probe (?:failed|errored)\b[^:]*:")
HOW: Final = (
    (re.compile(r"HTTP probe failed with statuscode: (\d{3})\b"), "answers {0}"),
    (re.compile(r"connect: connection refused"), "refuses connections"),
    (re.compile(r"service unhealthy \(responded with \"([A-Z_]{1,40})\"\)"), "answers {0}"),
    (
        re.compile(
            r"context deadline exceeded|Client\.Timeout|i/o timeout"
            r"|command timed out|timed out after"
        ),
        "does not answer in time",
    ),
)


def conclude(case: Case, evidence: Evidence) -> Finding:
    """Look for containers that run unready for too long, or are killed by a probe."""
    ledger = Ledger(mode=NAME, evidence=evidence)
    affected = evidence.fact(affected_pods)
    statement, refuted_if = "its containers run and are not ready", "they are ready, or do not run"
    if affected is None:
        ledger.not_measured(affected_pods, statement, refuted_if=refuted_if)
        return ledger.finding(Verdict.UNDECIDED, "its pods are not known")
    pods, now = living(affected.pods), case.window.end
    killed = _killed(evidence, pods, now)
    if killed:
        return _by_kills(ledger, killed, pods)
    unready = [pod for pod in pods if runs_unready(pod, now)]
    late = [pod for pod in unready if unready_seconds(pod, now) >= patience_seconds(pod, pods)]
    if not late:
        seen = f"{len(unready)} of {len(pods)} pods run unready"
        seen += ", not longer than their start may take" if unready else ""
        ledger.refutes(affected_pods, statement, seen=seen, refuted_if=refuted_if)
        return ledger.finding(Verdict.REFUTED, seen)
    owner = worst_of(late)
    own = [pod for pod in late if pod.owner == owner]
    longest = max(unready_seconds(pod, now) for pod in own)
    seen = f"{len(own)} of {sum(pod.owner == owner for pod in pods)} pods, for {longest:.0f} s"
    ledger.supports(affected_pods, 0.5, statement, seen=seen, refuted_if=refuted_if)
    how = _probe_row(ledger, own)
    _node_row(ledger, own)
    name = own[0].owner.name
    return ledger.finding(
        Verdict.SUPPORTED,
        f"{name} runs and is not ready: its readiness probe {how}",
        subject=owner,
        container=_container(own),
        remedies=REMEDIES,
        explains=EXPLAINS,
        advice=f"find out why {name} says that it is not ready: its readiness probe {how}",
    )


def runs_unready(pod: Pod, now: datetime | None = None) -> bool:
    """Say whether a container of the pod runs, and is not ready by its own probe.

    A container that has just ended with an error is another matter; how one ended whose present
    run is long under way (`now` is known) is not.
    """
    return (
        pod.phase == "Running"
        and not pod.ready
        and any(not one.ready and not one.waiting and one.started_at for one in pod.containers)
        and all(not one.waiting for one in pod.containers)
        and not any(_has_just_failed(one, now) for one in pod.containers)
    )


def _has_just_failed(container: Container, now: datetime | None) -> bool:
    stop, began = container.last_stop, container.started_at
    if stop is None or not stop.exit_code:
        return False
    return now is None or began is None or (now - began).total_seconds() <= LOOP_SECONDS


def _killed(evidence: Evidence, pods: tuple[Pod, ...], now: datetime) -> tuple[Occurrence, ...]:
    events = evidence.fact(object_events)
    kills = probe_kills(events.occurrences if events else (), {pod.name for pod in pods})
    return tuple(
        one
        for one in kills
        if one.last_at is not None and (now - one.last_at).total_seconds() <= LOOP_SECONDS
    )


def _by_kills(ledger: Ledger, kills: tuple[Occurrence, ...], pods: tuple[Pod, ...]) -> Finding:
    """Conclude that a liveness or startup probe kills the containers again and again."""
    hit = {one.name for one in kills}
    own = [pod for pod in pods if pod.name in hit]
    count = sum(one.count for one in kills)
    kind = "startup" if "startup" in kills[-1].message.split("probe")[0] else "liveness"
    ledger.supports(
        object_events,
        0.5 if count > 1 else 0.3,
        f"the kubelet kills it for its {kind} probe",
        seen=f"{count} kills in {len(own)} pods",
        refuted_if="no container was killed for a probe",
    )
    restarts = sum(one.restarts for pod in own for one in pod.containers)
    ledger.supports(
        affected_pods,
        0.2,
        "its containers restart",
        seen=f"{restarts} restarts",
        refuted_if="nothing restarted",
    )
    how = _probe_row(ledger, own)
    verdict = Verdict.SUPPORTED if count > 1 or restarts > 1 else Verdict.UNDECIDED
    return ledger.finding(
        verdict,
        f"{own[0].owner.name} is killed again and again: its {kind} probe {how}",
        subject=worst_of(own),
        container=_container(own),
        is_proven=False,
        remedies=KILL_REMEDIES,
        explains=(*EXPLAINS, "crash-loop"),
        advice=f"its {kind} probe {how}: give it more time (startupProbe, timeoutSeconds) if the "
        "program is only slow, else mend the program",
    )


def _probe_row(ledger: Ledger, pods: list[Pod]) -> str:
    """Write what the kubelet says of the probe; return it in words."""
    statement, refuted_if = (
        "the kubelet says that its probe fails",
        "no probe failed since its start",
    )
    events = ledger.evidence.fact(object_events)
    starts = {pod.name: _started(pod) for pod in pods}
    failures = [
        one
        for one in (events.occurrences if events else ())
        if one.kind == "Pod"
        and one.reason == "Unhealthy"
        and FAILED.match(one.message)
        and one.name in starts
        and (one.last_at is None or one.last_at >= starts[one.name])
    ]
    if not failures:
        why = "" if events is None else "no event of it was kept"
        ledger.not_measured(object_events, statement, refuted_if=refuted_if, why=why)
        return "fails"
    latest = max(failures, key=lambda one: one.count)
    how = in_words(latest.message)
    seen = f"{latest.message.partition(' probe')[0].lower()} {how}, {latest.count} times"
    ledger.supports(object_events, 0.3, statement, seen=seen, refuted_if=refuted_if)
    return how


def in_words(message: str) -> str:
    """Return how the probe failed, as far as the kubelet's own words tell."""
    for pattern, words in HOW:
        if found := pattern.search(message):
            return words.format(*found.groups())
    return "fails"


def _node_row(ledger: Ledger, pods: list[Pod]) -> None:
    statement, refuted_if = "its nodes are well", "the node under it is not ready"
    nodes: NodeConditions | None = ledger.evidence.fact(node_conditions)
    if nodes is None:
        ledger.not_measured(node_conditions, statement, refuted_if=refuted_if)
        return
    under = {pod.node for pod in pods}
    down = [name for name in nodes.not_ready if name in under]
    if down:
        seen = f"not ready: {', '.join(down)}"
        ledger.opposes(node_conditions, 0.4, statement, seen=seen, refuted_if=refuted_if)
    else:
        seen = f"ready: {', '.join(sorted(under))}"
        ledger.supports(node_conditions, 0.05, statement, seen=seen, refuted_if=refuted_if)


def _started(pod: Pod) -> datetime:
    starts = [one.started_at for one in pod.containers if one.started_at is not None]
    return max(starts, default=pod.created_at)


def _container(pods: list[Pod]) -> str:
    unready = [one.name for pod in pods for one in pod.containers if not one.ready]
    return unready[0] if unready else pods[0].containers[0].name


def is_not_ready(pod: Pod, since: datetime | None) -> bool:
    """Say whether the pod runs unready; one that is starting after a change is given its time."""
    return since is None and runs_unready(pod)


MODE = FailureMode(
    name=NAME,
    title="probe fails",
    suspect=suspected_in(*OF_WORKLOADS),
    steps=(affected_pods, object_events, node_conditions, recent_rollouts, nearby_pods),
    conclude=conclude,
    watch_steps=(affected_pods,),
    judge=judged_by(is_not_ready, "it is not ready"),
    relapse_seconds=for_two_minutes,
    watched="ready replicas",
)
