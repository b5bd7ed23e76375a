"""What kube-state-metrics tells: replicas, autoscalers, phases; and counts of things. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from petops.mcp_server.question.dialect import Metric
from petops.mcp_server.question.intents import Meaning
from petops.mcp_server.question.measures import COUNT, Quantity, need, of_part
from petops.mcp_server.question.promql import Matcher, Sampling, aggregated, named
from petops.mcp_server.question.selection import Part, Selection, UnanswerableError

_REPLICAS = {
    "available": "kube_deployment_status_replicas_available",
    "ready": "kube_deployment_status_replicas_ready",
    "unavailable": "kube_deployment_status_replicas_unavailable",
    "desired": "kube_deployment_spec_replicas",
    "current": "kube_deployment_status_replicas",
}
KINDS = frozenset({"pod", "service", "deployment", "namespace", "node", "container", "hpa"})
_HPA = {
    "current": "kube_horizontalpodautoscaler_status_current_replicas",
    "maximum": "kube_horizontalpodautoscaler_spec_max_replicas",
    "limit": "kube_horizontalpodautoscaler_spec_max_replicas",
    "minimum": "kube_horizontalpodautoscaler_spec_min_replicas",
    "desired": "kube_horizontalpodautoscaler_status_desired_replicas",
}
_PHASES = {
    "running": "Running",
    "pending": "Pending",
    "error": "Failed",
    "failed": "Failed",
    "killed": "Failed",
    "success": "Succeeded",
}
_PODS = (
    "kube_pod_status_phase",
    "kube_pod_info",
    "container_memory_working_set_bytes",
    "container_cpu_usage_seconds_total",
    "kube_pod_container_status_restarts_total",
)
_OTHERS = {
    "node": (
        "kube_node_info",
        "kube_node_status_condition",
        "node_memory_MemTotal_bytes",
        "node_cpu_seconds_total",
    ),
    "deployment": (
        "kube_deployment_spec_replicas",
        "kube_deployment_status_replicas_available",
        "kube_deployment_status_replicas",
    ),
    "hpa": (
        "kube_horizontalpodautoscaler_status_current_replicas",
        "kube_horizontalpodautoscaler_spec_max_replicas",
    ),
    "container": (
        "kube_pod_container_info",
        "container_memory_working_set_bytes",
        "container_cpu_usage_seconds_total",
    ),
    "namespace": ("kube_namespace_status_phase", *_PODS),
}


def replicas(meaning: Meaning, selection: Selection) -> Quantity:
    """Return the replicas of Deployments: available ones, unless others are named."""
    has = meaning.sentence.has
    metrics = selection.catalogue
    compared = has("desired") and (
        has("below", "less") or (has("compare") and has("available", "ready", "current"))
    )
    missing = has("unavailable") and not metrics.first(_REPLICAS["unavailable"])
    kinds = [
        kind for kind in ("unavailable", "desired", "ready", "available", "current") if has(kind)
    ]
    if compared or missing:
        return _lacking(selection)
    name = _REPLICAS[kinds[0] if kinds else "available"]
    metric = metrics.first(name)
    if metric is None and (not kinds or kinds[0] in {"ready", "current"}):
        metric = metrics.first(_REPLICAS["available"], _REPLICAS["ready"], _REPLICAS["current"])
        if metric is not None:
            selection.notes.append(f"replicas read as {metric.name}")
    metric = metric or need(selection, name, what=f"{kinds[0] if kinds else ''} replicas".strip())
    return of_part(
        selection, Part(metric=metric), COUNT, "deployment", _words(metric), is_gauge=True
    )


def _lacking(selection: Selection) -> Quantity:
    wanted = need(selection, _REPLICAS["desired"], what="desired replicas")
    there = need(selection, _REPLICAS["available"], _REPLICAS["ready"], what="available replicas")
    return difference(
        selection, wanted, there, "deployment", "replicas that are wanted and not there"
    )


def difference(
    selection: Selection, first: Metric, second: Metric, kind: str, about: str
) -> Quantity:
    """Return one metric less another."""
    left, right = Part(metric=first), Part(metric=second)

    def write(by: Sequence[str], at: Sampling) -> str:
        return f"{selection.total(left, by, at)} - {selection.total(right, by, at)}"

    return Quantity(write=write, unit=COUNT, default_by=kind, about=about)


def autoscaler(meaning: Meaning, selection: Selection) -> Quantity:
    """Return an autoscaler's replicas: current ones, unless others are named."""
    has = meaning.sentence.has
    current, highest = _HPA["current"], _HPA["maximum"]
    if at_maximum(meaning):
        return _at_maximum(
            selection, need(selection, current, _HPA["desired"]), highest_of(selection)
        )
    if has("headroom", "free"):
        about = "replicas that an autoscaler may still add"
        now = need(selection, current, _HPA["desired"])
        return difference(selection, highest_of(selection), now, "hpa", about)
    if has("share", "close", "closest"):
        parts = [Part(metric=need(selection, name)) for name in (current, highest)]
        return Quantity(
            write=lambda by, at: " / ".join(selection.total(part, by, at) for part in parts),
            unit="ratio",
            default_by="hpa",
            about="replicas as a share of the most allowed",
            is_ratio=True,
        )
    # "The most that is configured" is the most, and not what is wanted now.
    bounds = has("maximum", "minimum", "limit")
    asked = [
        (lemma, name)
        for lemma, name in _HPA.items()
        if has(lemma) and not (bounds and lemma == "desired")
    ]
    if len(asked) > 1:
        return _several(selection, asked)
    name = asked[0][1] if asked else current
    metric = need(selection, name, what=name.replace("_", " "))
    return of_part(selection, Part(metric=metric), COUNT, "hpa", _words(metric), is_gauge=True)


def highest_of(selection: Selection) -> Metric:
    """Return the metric of the most replicas that an autoscaler may make."""
    return need(selection, _HPA["maximum"])


def _several(selection: Selection, names: Sequence[tuple[str, str]]) -> Quantity:
    """Return several figures of each autoscaler, told apart by a label."""
    parts = [(lemma, Part(metric=need(selection, name))) for lemma, name in names]
    return Quantity(
        write=lambda by, at: " or ".join(
            named(selection.total(part, by, at), "measure", lemma) for lemma, part in parts
        ),
        unit=COUNT,
        default_by="hpa",
        about=f"{' and '.join(lemma for lemma, _ in names)} replicas",
    )


def at_maximum(meaning: Meaning) -> bool:
    """Say whether autoscalers are asked for that cannot add more."""
    sentence = meaning.sentence
    if sentence.has("atmax", "max-out") or (sentence.has("headroom") and sentence.has("not")):
        return True
    return sentence.has("maximum", "limit") and sentence.has("reach") and meaning.threshold is None


def _at_maximum(selection: Selection, now: Metric, highest: Metric) -> Quantity:
    left, right = Part(metric=now), Part(metric=highest)

    def write(by: Sequence[str], at: Sampling) -> str:
        return f"{selection.total(left, by, at)} >= {selection.total(right, by, at)}"

    return Quantity(write=write, unit=COUNT, default_by="hpa", about="autoscalers at their maximum")


def things(meaning: Meaning, selection: Selection, kind: str) -> Quantity:
    """Return one for each thing of a kind: to be counted, or listed."""
    if kind == "pod":
        return _pods(meaning, selection)
    if kind == "service":
        metric = next(
            (one for one in selection.catalogue.metrics.values() if one.label("service")), None
        )
        if metric is None:
            return things(meaning, selection, "deployment")
        return _each(selection, metric, "service", "services")
    metric = need(selection, *_OTHERS[kind], what=f"{kind}s")
    if kind == "namespace" and metric.label("namespace") is None:
        raise UnanswerableError("no metric here names namespaces")
    containers = kind == "container"
    return _each(selection, metric, kind, f"{kind}s", containers_only=containers)


def _pods(meaning: Meaning, selection: Selection) -> Quantity:
    has = meaning.sentence.has
    metric = selection.catalogue.first("kube_pod_status_phase")
    phases = [phase for lemma, phase in _PHASES.items() if has(lemma)]
    if has("ready", "notready"):
        return _ready_pods(meaning, selection)
    if phases or has("notrunning", "status"):
        metric = need(selection, "kube_pod_status_phase", what="the phase of pods")
    wanted = [
        role
        for role in ("node", "namespace")
        if role in meaning.by or getattr(selection.scope, f"{role}s")
    ]
    if not phases and (metric is None or not all(metric.label(role) for role in wanted)):
        known = (selection.catalogue.first(name) for name in _PODS)
        metric = next(
            (one for one in known if one and all(one.label(role) for role in wanted)), None
        )
        if metric is None:
            raise UnanswerableError(
                f"no metric here tells pods by {' and '.join(wanted) or 'name'}"
            )
        return _each(selection, metric, "pod", "pods", containers_only=True)
    metric = metric or need(selection, "kube_pod_status_phase", what="the phase of pods")
    negated = has("notrunning") or (has("not") and has("running"))
    matchers: tuple[Matcher, ...] = ()
    if negated:
        matchers = (Matcher("phase", "!~", "Running|Succeeded"),)
    elif phases:
        matchers = (Matcher("phase", "=", phases[0]),)
    part = Part(metric=metric, matchers=matchers, function="max")
    return Quantity(
        write=lambda by, at: f"{selection.total(part, _with(by, 'pod'), at)} == 1",
        unit=COUNT,
        default_by="pod",
        about=f"pods {'not running' if negated else phases[0].lower() if phases else ''}".strip(),
        labels=lambda by: selection.labels(part.metric, by),
    )


def _ready_pods(meaning: Meaning, selection: Selection) -> Quantity:
    metric = need(selection, "kube_pod_status_ready", what="whether pods are ready")
    has = meaning.sentence.has
    value = "false" if has("notready") or has("not") else "true"
    part = Part(metric=metric, matchers=(Matcher("condition", "=", value),), function="max")
    return Quantity(
        write=lambda by, at: f"{selection.total(part, _with(by, 'pod'), at)} == 1",
        unit=COUNT,
        default_by="pod",
        about=f"pods with ready {value}",
        labels=lambda by: selection.labels(metric, by),
    )


def _each(
    selection: Selection, metric: Metric, kind: str, about: str, *, containers_only: bool = False
) -> Quantity:
    part = Part(metric=metric, containers_only=containers_only, function="count")

    def write(by: Sequence[str], at: Sampling) -> str:
        every = _with(by, kind) if kind != "container" else [*_with(by, "pod"), "container"]
        labels = selection.labels(metric, every)
        return aggregated("group", labels, selection.series(part, replace(at, function="")))

    return Quantity(
        write=write,
        unit=COUNT,
        default_by=kind,
        about=about,
        labels=lambda by: selection.labels(metric, by),
    )


def _with(by: Sequence[str], kind: str) -> list[str]:
    return [*[one for one in by if one != kind], kind]


def _words(metric: Metric) -> str:
    return metric.name.removeprefix("kube_").replace("_", " ")
