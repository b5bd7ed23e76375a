"""Questions about requests on their way: the service graph, slow traces, and whose fault it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final

from petops.domain.alarm import Category
from petops.domain.call_graph import CallGraph, Symptom, Telemetry
from petops.domain.evidence import PodScope, Series, Signal, Window
from petops.domain.facts import AffectedPods, Pod
from petops.domain.objects import ServiceEndpoints
from petops.domain.traces import Trace, TraceSummary, Wanted
from petops.domain.tracing import ServiceMap, SlowTraces, SpotRank, TroubleSpot
from petops.domain.waterfalls import times_at, waterfall
from petops.errors import SourceError
from petops.playbooks.base import Case, Sources, step
from petops.playbooks.graph_rows import ROW, Counted, telemetry
from petops.playbooks.localisation import Localisation, learn, localise
from petops.playbooks.places import Places, candidates, in_graph, mapped
from petops.playbooks.service_maps import service_map_of
from petops.playbooks.steps.objects import service_endpoints
from petops.playbooks.steps.workloads import affected_pods, principal
from petops.playbooks.together import together

# X-Ray shows a request half a minute after it, and cAdvisor's rates need two minutes.
LATELY: Final = timedelta(minutes=3)
# What is compared with it ends this long before, so that the change itself is in neither.
APART: Final = timedelta(minutes=7)
BEFORE: Final = timedelta(minutes=20)
SLOWER_RATIO: Final = 1.5
_MOST_LATELY: Final = 300
_MOST_BEFORE: Final = 100
_MOST_SLOW: Final = 100
_EACH: Final = 24  # whole traces of either time; five are one call
_DRAWN: Final = 3
_KEPT: Final = 10
# Normal times are an hour before the window; see docs/localisation.md for how many rows it takes.
WINDOW_ROWS: Final = 8
NORMAL_ROWS: Final = 60
_MOST_RANKED: Final = 12
_MOST_PODS: Final = 240


def lately_of(case: Case) -> Window:
    """Return the minutes in which the trouble shows."""
    return Window.before(case.window.end, LATELY)


def before_of(case: Case) -> Window:
    """Return the time that they are compared with: well before, and before the alarm too."""
    end = min(case.window.end - LATELY, case.alarm.started_at) - APART
    return Window.before(max(end, case.window.start + BEFORE), BEFORE)


@step("Who calls whom, how often and how long?", timeout_seconds=10.0)
async def service_map(case: Case, sources: Sources) -> ServiceMap:
    """Read the service graph, lately and before; find the alarm's workload in it."""
    affected = await sources.answers.answer(affected_pods)
    lately, before = await together(
        sources.traces.graph(lately_of(case)), sources.traces.graph(before_of(case))
    )
    found = service_map_of(sources.noted(lately), sources.noted(before))
    services: ServiceEndpoints | None = None
    with suppress(SourceError):
        services = await sources.answers.answer(service_endpoints)
    names = candidates(affected, principal(affected), services)
    alarmed = in_graph([one.service for one in found.nodes], names, affected.subject.namespace)
    return ServiceMap(alarmed=alarmed, nodes=found.nodes, edges=found.edges)


@step("Which requests are slow, and where does their time go?", timeout_seconds=18.0)
async def slow_traces(case: Case, sources: Sources) -> SlowTraces:
    """Read requests through the alarm's service: the slowest, and some of then and now whole."""
    affected = await sources.answers.answer(affected_pods)
    seen = await sources.answers.answer(service_map)
    service = seen.alarmed or await _service_by_pods(case, sources, affected)
    node = seen.node(service)
    usual = node.before_mean_seconds if node else None
    bound = None if usual is None else SLOWER_RATIO * usual
    slow_ones, now_ones, then_ones = await together(
        sources.traces.find(
            Wanted(service=service, slower_than_seconds=bound, limit=_MOST_SLOW), lately_of(case)
        ),
        sources.traces.find(Wanted(service=service, limit=_MOST_LATELY), lately_of(case)),
        sources.traces.find(Wanted(service=service, limit=_MOST_BEFORE), before_of(case)),
    )
    all_now = sources.noted(now_ones)
    slow = sorted(sources.noted(slow_ones), key=lambda one: (-one.seconds, one.id))
    bad = [one for one in all_now if one.has_fault]
    drawn = [one.id for one in (*slow[:_KEPT], *bad[:_DRAWN])]
    lately, before = _evenly(all_now), _evenly(sources.noted(then_ones))
    whole = await _whole(sources, dict.fromkeys((*drawn, *lately, *before)))
    return SlowTraces(
        service=service,
        slow=tuple(slow[:_KEPT]) if bound is not None else (),
        waterfalls=tuple(waterfall(whole[one]) for one in drawn if one in whole)[:_DRAWN],
        lately=times_at(whole[one] for one in lately if one in whole),
        before=times_at(whole[one] for one in before if one in whole),
        worst_times=times_at(whole[one] for one in drawn if one in whole),
        looked_at=len(whole),
        slower_than_seconds=bound,
    )


@step("Which service behind it causes what it shows?", timeout_seconds=25.0)
async def trouble_spot(case: Case, sources: Sources) -> TroubleSpot:
    """Lay the graph's edges and each service's own metrics together; rank, and name or refuse."""
    affected = await sources.answers.answer(affected_pods)
    seen = await sources.answers.answer(service_map)
    traces = await sources.answers.answer(slow_traces)
    alarmed = seen.alarmed or traces.service
    graph = CallGraph.of(
        ((one.caller, one.callee) for one in seen.edges), [one.service for one in seen.nodes]
    )
    if alarmed not in graph.callees:
        raise SourceError(f"the service graph has no {alarmed[:80] or 'service of that workload'}")
    places = await _places(sources, affected, seen, traces)
    try:
        counted = await _counted(case, sources, places)
    except SourceError as exc:  # where they run is known all the same
        ranking = tuple(
            SpotRank(service=one, subject=places.worst(one, traces.seen))
            for one in graph.depths(alarmed)
        )
        why = f"whose excess it is was not measured: {exc.message}"
        return TroubleSpot(
            alarmed=alarmed, symptom="", cause="", subject=None, why=why, ranking=ranking
        )
    rows = telemetry(counted, case.window.end, WINDOW_ROWS + NORMAL_ROWS)
    found, symptom = _localised(graph, rows, alarmed, case)
    cause = found.cause or ""
    return TroubleSpot(
        alarmed=alarmed,
        symptom=str(symptom),
        cause=cause,
        subject=places.worst(cause, traces.seen) if cause not in {"", alarmed} else None,
        why=found.why,
        ranking=tuple(
            SpotRank(
                service=one.node,
                subject=places.worst(one.node, traces.seen),
                excess=one.excess,
                limit=one.limit,
                share_ratio=one.share_ratio,
            )
            for one in found.ranking[:_MOST_RANKED]
        ),
        unmeasured=found.unmeasured,
    )


def _localised(
    graph: CallGraph, rows: Telemetry, alarmed: str, case: Case
) -> tuple[Localisation, Symptom]:
    """Ask for the alarm's own symptom, and for the other one where that shows nothing."""
    first, other = Symptom.LATENCY, Symptom.ERRORS
    if case.assessment.category in {Category.ERRORS, Category.AVAILABILITY}:
        first, other = other, first
    split = rows.rows - WINDOW_ROWS
    normal, window = rows.between(0, split), rows.between(split, rows.rows)
    found = {}
    for symptom in (first, other):
        usual = learn(graph, normal, alarmed, symptom, rows=WINDOW_ROWS)
        found[symptom] = localise(usual, window)
        if found[symptom].cause:
            return found[symptom], symptom
    return found[first], first


async def _places(
    sources: Sources, affected: AffectedPods, seen: ServiceMap, traces: SlowTraces
) -> Places:
    """Find the workloads behind the graph's services: by their traces' pods, else by name."""
    spaces = {pod.namespace for pod in affected.pods} | {affected.subject.namespace}
    spaces |= {one.namespace for one in traces.seen if one.namespace}
    pods: dict[str, Pod] = {pod.uid: pod for pod in affected.pods}
    for space in sorted(spaces - {""})[:_DRAWN]:
        for pod in sources.noted(await sources.cluster.nearby(space)):
            pods[pod.uid] = pod
    return mapped([one.service for one in seen.nodes], traces.seen, pods.values())


async def _counted(case: Case, sources: Sources, places: Places) -> list[Counted]:
    """Read the requests of the pods behind each service."""
    window = Window.before(case.window.end, ROW * (WINDOW_ROWS + NORMAL_ROWS + 1))
    signals = (Signal.REQUESTS_TOTAL, Signal.REQUEST_SECONDS_TOTAL, Signal.REQUEST_DURATIONS_TOTAL)
    found: list[Counted] = []
    for space, pods in places.scopes(_MOST_PODS):
        scope = PodScope(namespace=space, pods=pods)
        reads = (_series(sources, one, scope, window) for one in signals)
        requests, seconds, durations = await together(*reads)
        found.append(
            Counted(
                service_of=places.service_of(space),
                requests=requests,
                seconds=seconds,
                durations=durations,
            )
        )
    if not any(one.requests or one.durations for one in found):
        raise SourceError("no pod behind the graph's services counts its requests")
    return found


async def _series(
    sources: Sources, signal: Signal, scope: PodScope, window: Window
) -> tuple[Series, ...]:
    readings = await sources.metrics.read(signal, scope, window)
    sources.asked.append(readings.asked)
    return readings.series


async def _service_by_pods(case: Case, sources: Sources, affected: AffectedPods) -> str:
    """Find what X-Ray calls the workload by the pods that its segments name."""
    found = sources.noted(await sources.traces.find(Wanted(limit=_EACH), lately_of(case)))
    own = {pod.name for pod in affected.pods}
    whole = await _whole(sources, dict.fromkeys(one.id for one in found))
    for trace in whole.values():
        for one in trace.segments:
            if one.pod in own and not one.is_subsegment:
                return one.name
    raise SourceError(f"no service in the traces is known to be {principal(affected).name}")


async def _whole(sources: Sources, ids: Iterable[str]) -> dict[str, Trace]:
    wanted = tuple(ids)
    if not wanted:
        return {}
    return {one.id: one for one in sources.noted(await sources.traces.whole(wanted))}


def _evenly(found: Sequence[TraceSummary]) -> tuple[str, ...]:
    stride = max(1, len(found) / _EACH)
    return tuple(found[int(at * stride)].id for at in range(min(_EACH, len(found))))
