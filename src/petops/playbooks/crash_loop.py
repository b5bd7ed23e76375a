"""Crash loop: a container ends by itself again and again, or cannot be made of its specification.

Look-alikes: kills for memory (137 with reason OOMKilled), kills by a liveness probe, evictions, and
a restart that is over. The last lines of its log are quoted, and decide nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from petops.domain.diagnosis import Finding, Verdict, Weighs
from petops.domain.facts import Container, Pod, Stop
from petops.domain.objects import ObjectEvents, Occurrence
from petops.playbooks.base import OF_WORKLOADS, Case, Evidence, FailureMode, Ledger, suspected_in
from petops.playbooks.pod_trouble import (
    BACK_OFF,
    is_crash_looping,
    is_misconfigured,
    living,
    quoted,
    quoted_end,
)
from petops.playbooks.pod_watch import for_two_minutes, judged_by
from petops.playbooks.steps.beside import log_lines
from petops.playbooks.steps.objects import last_words, nearby_pods, object_events
from petops.playbooks.steps.workloads import affected_pods, container_stops, recent_rollouts

NAME = "crash-loop"
REMEDIES = ("undo-rollout", "fix-config")
EXPLAINS = ("failing-probe", "no-endpoints", "hpa-maxed")
PROBE_KILL: Final = re.compile(r"Container \S+ failed (liveness|startup) probe, will be restarted")
_KILLED: Final = 137

Found = tuple[Pod, Container]


def probe_kills(events: Sequence[Occurrence], pods: set[str]) -> tuple[Occurrence, ...]:
    """Return the kubelet's events of killing these pods' containers for a failed probe."""
    return tuple(
        one
        for one in events
        if one.kind == "Pod"
        and one.name in pods
        and one.reason == "Killing"
        and PROBE_KILL.match(one.message)
    )


def conclude(case: Case, evidence: Evidence) -> Finding:
    """Take the worst container that loops, and look at how it ended."""
    ledger = Ledger(mode=NAME, evidence=evidence)
    affected = evidence.fact(affected_pods)
    statement, refuted_if = "a container ends again and again", "its containers run"
    if affected is None:
        ledger.not_measured(affected_pods, statement, refuted_if=refuted_if)
        return ledger.finding(Verdict.UNDECIDED, "its pods are not known")
    now = case.window.end
    looping = [
        (pod, one)
        for pod in living(affected.pods)
        for one in pod.containers
        if is_crash_looping(one, now)
    ]
    broken = [
        (pod, one)
        for pod in living(affected.pods)
        for one in pod.containers
        if is_misconfigured(one)
    ]
    if broken and not looping:
        return _misconfigured(ledger, broken)
    if not looping:
        return _before_eviction(ledger, affected.pods, now)
    worst = max(looping, key=lambda one: (one[1].restarts, one[0].name))
    owner, container = worst[0].owner, worst[1]
    own = [(pod, one) for pod, one in looping if pod.owner == owner and one.name == container.name]
    seen = f"{container.waiting or 'restarted'}, {sum(one.restarts for _, one in own)} restarts"
    seen += f" in {len(own)} pods"
    ledger.supports(affected_pods, 0.45, statement, seen=seen, refuted_if=refuted_if)
    stop = container.last_stop
    if not _ended_by_itself(ledger, stop, own, evidence):
        because = f"{owner.name}/{container.name} does not end by itself"
        return ledger.finding(Verdict.REFUTED, because, subject=owner, container=container.name)
    said = _words_row(ledger, own)
    because = f"{owner.name}/{container.name} {_ends(stop)} again and again" + said
    return ledger.finding(
        Verdict.SUPPORTED,
        because,
        subject=owner,
        container=container.name,
        remedies=REMEDIES,
        explains=EXPLAINS,
        advice=f"{_ends(stop)} each time: correct the program or what it needs to start{said}; "
        "restarts change nothing, the kubelet makes them already",
    )


def _misconfigured(ledger: Ledger, broken: list[Found]) -> Finding:
    pod, container = min(broken, key=lambda one: one[0].name)
    said = quoted_end(container.waiting_message) if container.waiting_message else "no message"
    ledger.supports(
        affected_pods,
        0.7,
        "the container cannot be made of its specification",
        seen=f"{container.waiting} in {len(broken)} pods: {said}",
        refuted_if="the container was made and ran",
    )
    return ledger.finding(
        Verdict.SUPPORTED,
        f"{pod.owner.name}/{container.name} cannot start, {container.waiting}: {said}",
        subject=pod.owner,
        container=container.name,
        is_proven=False,
        remedies=REMEDIES,
        explains=(*EXPLAINS, "bad-rollout"),
        advice=f"restore what the container needs: {said}",
    )


def _before_eviction(ledger: Ledger, pods: Sequence[Pod], now: datetime) -> Finding:
    """Look at pods that were evicted: they may have been in a crash loop before that."""
    ended = [
        (pod, one, one.last_stop)
        for pod in pods
        if pod.reason == "Evicted"
        for one in pod.containers
        if one.restarts > 0 and one.last_stop and one.last_stop.exit_code not in {0, _KILLED}
    ]
    statement, refuted_if = "a container ends again and again", "its containers run"
    if len(ended) < 2:
        seen = f"no container of {len(pods)} pods is in a loop"
        ledger.refutes(affected_pods, statement, seen=seen, refuted_if=refuted_if)
        return ledger.finding(Verdict.REFUTED, seen)
    pod, container, stop = max(ended, key=lambda one: (one[1].restarts, one[0].name))
    del now
    restarts = sum(one.restarts for _, one, _ in ended)
    seen = f"before their eviction {len(ended)} pods restarted {restarts} times, {_ends(stop)}"
    ledger.supports(affected_pods, 0.5, statement, seen=seen, refuted_if=refuted_if)
    return ledger.finding(
        Verdict.SUPPORTED,
        f"{pod.owner.name}/{container.name} was in a crash loop before its eviction: {_ends(stop)}",
        subject=pod.owner,
        container=container.name,
        remedies=REMEDIES,
        advice=f"{_ends(stop)}: correct the program or what it needs to start",
    )


def _ended_by_itself(
    ledger: Ledger, stop: Stop | None, own: list[Found], evidence: Evidence
) -> bool:
    """Write how the container ended; say whether that was its own doing."""
    statement, refuted_if = "it ends by itself", "it is killed: for memory, or by a probe"
    if stop is None:
        ledger.not_measured(
            container_stops, statement, refuted_if=refuted_if, why="no end of it was kept"
        )
        return True
    if stop.is_out_of_memory:
        ledger.refutes(container_stops, statement, seen="OOMKilled", refuted_if=refuted_if)
        return False
    events = evidence.fact(object_events)
    kills = probe_kills(events.occurrences if events else (), {pod.name for pod, _ in own})
    if kills:
        seen = f"{sum(one.count for one in kills)} kills by a probe"
        ledger.refutes(object_events, statement, seen=seen, refuted_if=refuted_if)
        return False
    lived = f" after {stop.lived_seconds:.0f} s" if stop.lived_seconds is not None else ""
    seen = f"{stop.reason or 'ended'}, exit {stop.exit_code}{lived}"
    if stop.exit_code == _KILLED and (hooks := _failed_hooks(events, own)):
        seen += f"; its postStart hook failed {hooks} times"
        ledger.supports(object_events, 0.35, statement, seen=seen, refuted_if=refuted_if)
        return True
    if stop.exit_code == _KILLED:
        # Somebody killed it; without the kubelet's event nobody knows who.
        ledger.row(container_stops, Weighs.FOR, statement, seen=seen, refuted_if=refuted_if)
        return True
    ledger.supports(container_stops, 0.35, statement, seen=seen, refuted_if=refuted_if)
    if events is None:
        ledger.not_measured(
            object_events, "no probe kills it", refuted_if="the kubelet killed it for a probe"
        )
    else:
        ledger.supports(
            object_events,
            0.1,
            "no probe kills it",
            seen=f"no such kill in {len(events.occurrences)} events",
            refuted_if="the kubelet killed it for a probe",
        )
    return True


def _failed_hooks(events: ObjectEvents | None, own: list[Found]) -> int:
    """Return how often the kubelet ended these pods' containers for their postStart hook."""
    names = {pod.name for pod, _ in own}
    return sum(
        one.count
        for one in (events.occurrences if events else ())
        if one.kind == "Pod" and one.name in names and one.reason == "FailedPostStartHook"
    )


def _words_row(ledger: Ledger, own: Sequence[Found]) -> str:
    """Quote the log's last line, and return it for the sentence.

    Only a log of these containers: what another one wrote is not theirs.
    """
    said = ledger.evidence.fact(last_words)
    statement, refuted_if = "its last words", "they are data: nothing is concluded from them"
    theirs = said is not None and (said.pod, said.container) in {
        (pod.name, one.name) for pod, one in own
    }
    if said is None or not said.lines or not theirs:
        if (kept := _kept_line(ledger, own[0][1].name)) is not None:
            return kept
        why = "" if said is None else "no log of it was kept"
        ledger.not_measured(last_words, statement, refuted_if=refuted_if, why=why)
        return ""
    seen = " ".join(quoted(line, 200) for line in said.lines[-3:])
    ledger.row(last_words, Weighs.FOR, statement, seen=seen, refuted_if=refuted_if)
    return f"; its last line: {quoted(said.lines[-1])}"


def _kept_line(ledger: Ledger, container: str) -> str | None:
    """Quote what was kept of its log elsewhere, where Kubernetes has it no more."""
    excerpt = ledger.evidence.fact(log_lines)
    lines = excerpt.lines if excerpt else ()
    last = [one for one in lines if one.container in {"", container}][-3:]
    if not last:
        return None
    ledger.row(
        log_lines,
        Weighs.FOR,
        "what it wrote around its end",
        seen=" ".join(quoted(one.text, 200) for one in last),
        refuted_if="they are data: nothing is concluded from them",
    )
    return f"; its last line: {quoted(last[-1].text)}"


def _ends(stop: Stop | None) -> str:
    if stop is None:
        return "ends"
    return "ends by itself, exit 0," if stop.exit_code == 0 else f"ends with exit {stop.exit_code}"


def in_a_loop(pod: Pod, since: datetime | None) -> bool:
    """Say whether a container of the pod loops, or ended with an error after `since`."""
    return any(
        one.waiting == BACK_OFF
        or is_misconfigured(one)
        or (
            since is not None
            and one.last_stop is not None
            and one.last_stop.exit_code != 0
            and one.last_stop.finished_at is not None
            and one.last_stop.finished_at > since
        )
        for one in pod.containers
    )


MODE = FailureMode(
    name=NAME,
    title="crash loop by program or configuration",
    suspect=suspected_in(*OF_WORKLOADS),
    steps=(
        affected_pods,
        container_stops,
        object_events,
        last_words,
        log_lines,
        recent_rollouts,
        nearby_pods,
    ),
    conclude=conclude,
    watch_steps=(affected_pods,),
    judge=judged_by(in_a_loop, "it ends again and again"),
    relapse_seconds=for_two_minutes,
    watched="whether its containers run on, and ready replicas",
)
