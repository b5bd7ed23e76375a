"""A trace as bars to draw, and many traces as where the time went. Pure, and total on any trace."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from petops.domain.traces import Segment, Trace
from petops.domain.tracing import Bar, TimeAt, Waterfall

MOST_BARS: Final = 60
_LONGEST: Final = 200
_NAMESPACES: Final = ("namespace", "k8s.namespace.name", "k8s_namespace_name")


def waterfall(trace: Trace) -> Waterfall:
    """Return a trace's bars, callers first; of too many the longest."""
    starts = [one.start for one in trace.segments]
    if not starts:
        return Waterfall(trace=trace.id, started_at=None, seconds=0.0, bars=(), has_holes=True)
    began = min(starts)
    depths: dict[str, int] = {}
    bars = []
    for one in trace.walk():
        above = depths.get(one.parent_id)
        depths[one.id] = 0 if above is None else above + 1
        bars.append(
            Bar(
                id=one.id,
                service=trace.service_of(one) if one.is_step else one.name,
                name=_named(one),
                depth=depths[one.id],
                start_seconds=(one.start - began).total_seconds(),
                seconds=one.seconds,
                own_seconds=trace.own_seconds(one),
                is_call=one.is_subsegment and not one.is_step,
                has_fault=one.has_fault,
                pod=one.pod,
                message=one.message[:_LONGEST],
            )
        )
    guilty = _guilty(trace, bars)
    order = sorted(bars, key=lambda one: (one.id == guilty, one.has_fault, one.seconds))
    kept = {one.id for one in order[-MOST_BARS:]}
    return Waterfall(
        trace=trace.id,
        started_at=began,
        seconds=trace.seconds,
        bars=tuple(one for one in bars if one.id in kept),
        guilty=guilty,
        left_out=len(bars) - len(kept),
        has_holes=_has_holes(trace),
    )


def times_at(traces: Iterable[Trace]) -> tuple[TimeAt, ...]:
    """Return where the time of these requests went, by service and pod, most of its own first."""
    sums: dict[tuple[str, str, str], list[float]] = {}
    for trace in traces:
        for one in trace.segments:
            is_call = one.is_subsegment and not one.is_step
            if one.end is None or (is_call and trace.children.get(one.id)):
                continue
            at = trace.segment_of(one) if one.is_step else one
            found = sums.setdefault((at.name, at.pod, _namespace(at)), [0.0, 0.0, 0.0, 0.0])
            found[2] += trace.own_seconds(one)
            if not one.is_step:
                found[0] += 1
                found[1] += one.seconds
                found[3] += one.has_fault and not _explained(trace, one)
    made = (
        TimeAt(
            service=service,
            pod=pod,
            namespace=namespace,
            requests=int(many),
            seconds=seconds / many,
            own_seconds=own / many,
            own_faults=int(faults),
        )
        for (service, pod, namespace), (many, seconds, own, faults) in sums.items()
        if many
    )
    return tuple(sorted(made, key=lambda one: (-one.own_seconds, one.service, one.pod)))


def _named(one: Segment) -> str:
    what = one.operation or one.url
    return f"{one.name} {what}"[:_LONGEST] if what else one.name[:_LONGEST]


def _guilty(trace: Trace, bars: Iterable[Bar]) -> str:
    """Return the deepest bar that failed, else the one with most time of its own."""
    every = list(bars)
    failed = [one for one in every if one.has_fault and not _explained(trace, trace.by_id[one.id])]
    worst = max(failed or every, key=lambda one: (one.depth if failed else 0, one.own_seconds))
    return worst.id if failed or worst.own_seconds > 0 else ""


def _explained(trace: Trace, one: Segment) -> bool:
    """Say whether a failure came from below."""
    return any(below.has_fault for below in trace.children.get(one.id, ()))


def _has_holes(trace: Trace) -> bool:
    """Say whether segments are missing or unfinished, or several have no caller."""
    return (
        trace.is_cut
        or len(trace.roots) != 1
        or any(one.parent_id and one.parent_id not in trace.by_id for one in trace.segments)
        or any(one.end is None for one in trace.segments)
    )


def _namespace(one: Segment) -> str:
    said = dict(one.annotations)
    return next((said[key] for key in _NAMESPACES if said.get(key)), "")
