"""Slow dependency: a service behind it, or a database or queue outside, takes the time or fails.

Look-alikes: its own CPU throttling (its own time grows), more load, a caller further up. Nothing is
changed at the one who waits; who makes it wait is looked at in a second round, where it runs here.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

from petops.domain.alarm import Category
from petops.domain.diagnosis import Finding, Verdict, Weighs
from petops.domain.performance import RequestLatency
from petops.domain.subject import Subject
from petops.domain.tracing import SlowTraces, TroubleSpot
from petops.playbooks.base import (
    Case,
    CauseNow,
    Evidence,
    FailureMode,
    Judgement,
    Ledger,
    suspected_in,
)
from petops.playbooks.pod_trouble import quoted
from petops.playbooks.pod_watch import for_two_minutes, unclear
from petops.playbooks.request_parts import Part, fails, only_caller, parts
from petops.playbooks.steps.beside import balancer_use, log_lines
from petops.playbooks.steps.cpu import cpu_use, request_latency
from petops.playbooks.steps.trouble import service_map, slow_traces, trouble_spot
from petops.playbooks.steps.workloads import affected_pods, principal

NAME = "slow-dependency"
REMEDIES = ("look-closer",)
# Half as long again is more than chance; a dependency explains at least half of what is added.
SLOWER_RATIO: Final = 1.5
LEAST_SHARE: Final = 0.5
# More than what was not measured at all, and too little to be a cause.
MOST_WITHHELD: Final = 0.3
THROTTLED_RATIO: Final = 0.25


def conclude(case: Case, evidence: Evidence) -> Finding:
    """Compare where the requests' time goes with where it went: here, or behind it?"""
    del case
    ledger = Ledger(mode=NAME, evidence=evidence)
    statement = "a service behind it takes the time, or fails"
    refuted_if = "its own time grows instead, or no request takes longer or fails"
    traces, seen = evidence.fact(slow_traces), evidence.fact(service_map)
    if traces is None or seen is None:
        ledger.not_measured(slow_traces, statement, refuted_if=refuted_if)
        return ledger.finding(Verdict.UNDECIDED, "where its requests' time goes was not measured")
    found = parts(traces, seen)
    own = next((one for one in found if one.service == traces.service), None)
    if own is None or not any(one.service == traces.service for one in traces.before):
        why = f"too few traces through {traces.service} to compare"
        ledger.not_measured(slow_traces, statement, refuted_if=refuted_if, why=why)
        return ledger.finding(Verdict.UNDECIDED, why)
    others = [one for one in found if one is not own]
    failing = max((one for one in others if fails(one)), key=lambda one: one.faults, default=None)
    slowest = max(others, key=lambda one: one.added, default=None)
    total, was = sum(one.now for one in found), sum(one.before for one in found)
    is_slower = total >= SLOWER_RATIO * was
    if failing is None and not (
        is_slower and slowest is not None and slowest.added >= LEAST_SHARE * (total - was)
    ):
        where = "its own time" if is_slower else "nothing"
        seen_words = f"{_ms(was)} then, {_ms(total)} now; {where} grew"
        ledger.refutes(slow_traces, statement, seen=seen_words, refuted_if=refuted_if)
        return ledger.finding(Verdict.REFUTED, f"nothing behind {traces.service} holds it up")
    guilty = failing or slowest
    assert guilty is not None  # noqa: S101 - one of them is there
    return _weighed(ledger, guilty, own, traces, failing is not None)


def _weighed(
    ledger: Ledger, guilty: Part, own: Part, traces: SlowTraces, is_failing: bool
) -> Finding:
    statement = "a service behind it takes the time, or fails"
    refuted_if = "its own time grows instead, or no request takes longer or fails"
    how = f"fails {guilty.faults:.0%} of the requests" if is_failing else "is slow"
    said = f"{guilty.service}: {_ms(guilty.before)} then, {_ms(guilty.now)} now a request"
    if is_failing:
        said += f"; {guilty.before_faults:.0%} failed then, {guilty.faults:.0%} now"
    ledger.supports(slow_traces, 0.35, statement, seen=said, refuted_if=refuted_if)
    (_own_faults_row if is_failing else _own_row)(ledger, own, guilty)
    spot = ledger.evidence.fact(trouble_spot)
    _spot_row(ledger, spot, guilty)
    _cpu_row(ledger)
    _balancer_row(ledger)
    _log_row(ledger)
    at, where = place_of(spot, guilty.service), ""
    if spot is not None and at is None:
        calls = only_caller(ledger.evidence.fact(service_map), traces.service, guilty.service)
        by = f"{calls} calls it, and it" if calls not in {"", traces.service} else "it"
        where = f" ({by} is not known to run in this cluster)"
        at = place_of(spot, calls) if calls != traces.service else None
    because = f"{traces.service} waits for {guilty.service}{where}, which {how}"
    return ledger.finding(
        Verdict.SUPPORTED,
        because,
        subject=at or _caller(ledger.evidence),
        is_proven=False,
        remedies=REMEDIES,
        advice=f"look at {guilty.service}: shed load, fail over, or stop waiting for it; "
        f"restarting {traces.service} helps nobody",
    )


def settled(first: Finding, there: Evidence) -> Finding:
    """Return what the waiting comes to once what is waited for was looked at itself, in `there`.

    A few slow or failed requests among those of the alarmed service may be chance: what shows no
    trouble in its own requests causes none. And where its own time grew and its CPU could not be
    measured, that somebody waits for it is true, and says nothing of the cause.
    """
    traces, seen = there.fact(slow_traces), there.fact(service_map)
    if traces is None or seen is None:
        return first
    found = parts(traces, seen)
    own = next((one for one in found if one.service == traces.service), None)
    if own is None or not any(one.service == traces.service for one in traces.before):
        return first
    total, was = sum(one.now for one in found), sum(one.before for one in found)
    ledger = Ledger(mode=NAME, evidence=there)
    statement, refuted_if = "its own requests show it too", "none of them takes longer or fails"
    if total < SLOWER_RATIO * was and not any(fails(one) for one in found):
        words = f"{_ms(was)} then, {_ms(total)} now a request through {traces.service}"
        ledger.refutes(slow_traces, statement, seen=words, refuted_if=refuted_if)
        because = f"{traces.service} answers as before: {words}"
        return _withheld(first, ledger, Verdict.REFUTED, because)
    grew = own.added >= LEAST_SHARE * (total - was) and not fails(own)
    if grew and not _cpu_is_known(there):
        statement = f"it is known why {traces.service} itself takes longer"
        ledger.not_measured(cpu_use, statement, refuted_if="its own time stays as it was")
        because = f"its requests wait for {traces.service}, whose own time grew; why is not known"
        return _withheld(first, ledger, Verdict.UNDECIDED, because)
    return first


def _cpu_is_known(there: Evidence) -> bool:
    """Say whether throttling was measured, or cannot be since nothing there has a CPU limit."""
    use = there.fact(cpu_use)
    if use is None or not use.containers:
        return False
    limited = [one for one in use.containers if one.limit_cores]
    return not limited or any(one.throttled_ratio is not None for one in limited)


def _withheld(first: Finding, ledger: Ledger, verdict: Verdict, because: str) -> Finding:
    return replace(
        first,
        verdict=verdict,
        because=because,
        rows=(*first.rows, *ledger.rows),
        confidence=0.0 if verdict is Verdict.REFUTED else MOST_WITHHELD,
        remedies=(),
        explains=(),
        advice="",
    )


def place_of(spot: TroubleSpot | None, service: str) -> Subject | None:
    """Return the workload behind a service of the graph, where it runs here."""
    ranking = spot.ranking if spot else ()
    return next((one.subject for one in ranking if one.service == service), None)


def _own_row(ledger: Ledger, own: Part, guilty: Part) -> None:
    statement, refuted_if = "its own time stays as it was", "its own time grows as much"
    seen = f"{own.service} itself: {_ms(own.before)} then, {_ms(own.now)} now"
    if own.added <= LEAST_SHARE * max(guilty.added, 0.0) or own.now < SLOWER_RATIO * own.before:
        ledger.supports(slow_traces, 0.15, statement, seen=seen, refuted_if=refuted_if)
    else:
        ledger.opposes(slow_traces, 0.2, statement, seen=seen, refuted_if=refuted_if)


def _own_faults_row(ledger: Ledger, own: Part, guilty: Part) -> None:
    """Write whether it fails by itself too: of failures, how long they take says nothing."""
    statement, refuted_if = "it does not fail by itself", "as many requests fail in its own part"
    seen = f"{own.faults:.0%} of the requests fail in {own.service} itself"
    if own.faults < LEAST_SHARE * guilty.faults:
        ledger.supports(slow_traces, 0.15, statement, seen=seen, refuted_if=refuted_if)
    else:
        ledger.opposes(slow_traces, 0.2, statement, seen=seen, refuted_if=refuted_if)


def _spot_row(ledger: Ledger, spot: TroubleSpot | None, guilty: Part) -> None:
    statement = "the bookkeeping of excess over the call graph says so too"
    refuted_if = "it names another service"
    if spot is None or not spot.cause:
        why = spot.why if spot else ""
        ledger.not_measured(trouble_spot, statement, refuted_if=refuted_if, why=why)
    elif spot.cause in {guilty.service, spot.alarmed}:
        seen = spot.why
        if spot.cause != guilty.service:
            # Those outside have no metrics of their own: their caller has their excess.
            seen += f"; what is waited for at {guilty.service} counts there"
        ledger.supports(trouble_spot, 0.15, statement, seen=seen, refuted_if=refuted_if)
    else:
        ledger.opposes(trouble_spot, 0.1, statement, seen=spot.why, refuted_if=refuted_if)


def _cpu_row(ledger: Ledger) -> None:
    statement, refuted_if = "its own CPU is not what it waits for", "it is throttled itself"
    use = ledger.evidence.fact(cpu_use)
    ratios = [one.throttled_ratio for one in (use.containers if use else ())]
    known = [one for one in ratios if one is not None]
    if not known:
        ledger.not_measured(cpu_use, statement, refuted_if=refuted_if)
    elif max(known) < THROTTLED_RATIO:
        seen = f"{max(known):.0%} of its periods are throttled at most"
        ledger.supports(cpu_use, 0.1, statement, seen=seen, refuted_if=refuted_if)
    else:
        seen = f"{max(known):.0%} of its periods are throttled"
        ledger.opposes(cpu_use, 0.2, statement, seen=seen, refuted_if=refuted_if)


def _balancer_row(ledger: Ledger) -> None:
    """Write what the load balancer saw, where the alarm names one."""
    use = ledger.evidence.fact(balancer_use)
    if use is None or use.target_seconds is None or use.before_target_seconds is None:
        return
    statement, refuted_if = "its load balancer sees it too", "its targets answer as fast as before"
    seen = f"{_ms(use.before_target_seconds)} then, {_ms(use.target_seconds)} now at {use.name}"
    if use.target_seconds >= SLOWER_RATIO * use.before_target_seconds:
        ledger.supports(balancer_use, 0.05, statement, seen=seen, refuted_if=refuted_if)
    else:
        ledger.opposes(balancer_use, 0.05, statement, seen=seen, refuted_if=refuted_if)


def _log_row(ledger: Ledger) -> None:
    """Quote what it wrote while requests failed."""
    excerpt = ledger.evidence.fact(log_lines)
    if excerpt is not None and excerpt.lines:
        ledger.row(
            log_lines,
            Weighs.FOR,
            "what it wrote meanwhile",
            seen=" ".join(quoted(one.text, 200) for one in excerpt.lines[-3:]),
            refuted_if="they are data: nothing is concluded from them",
        )


def _caller(evidence: Evidence) -> Subject | None:
    affected = evidence.fact(affected_pods)
    return principal(affected) if affected is not None else None


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


def judge(case: Case, evidence: Evidence, finding: Finding, since: datetime | None) -> Judgement:
    """Say how long its requests take now, against before."""
    del case, since, finding
    latency: RequestLatency | None = evidence.fact(request_latency)
    if latency is None or not latency.pods:
        return unclear(evidence.why_unknown(request_latency))
    known = [one for one in latency.pods if one.before_seconds]
    slow = [one for one in known if one.seconds >= SLOWER_RATIO * (one.before_seconds or 0.0)]
    signals = (f"{len(slow)} of {len(known)} pods answer slower than before",)
    return Judgement(
        symptom_gone=not slow if known else None,
        cause=CauseNow.GOES_ON if slow else CauseNow.UNCLEAR,
        signals=signals,
    )


MODE = FailureMode(
    name=NAME,
    title="slow or failing dependency",
    suspect=suspected_in(Category.LATENCY, Category.ERRORS, Category.AVAILABILITY),
    steps=(
        affected_pods,
        service_map,
        slow_traces,
        trouble_spot,
        request_latency,
        cpu_use,
        balancer_use,
        log_lines,
    ),
    conclude=conclude,
    watch_steps=(affected_pods, request_latency),
    judge=judge,
    relapse_seconds=for_two_minutes,
    watched="how long requests take",
)
