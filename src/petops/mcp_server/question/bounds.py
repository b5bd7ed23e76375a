"""Limits and requests of containers, and their use as a share of them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from petops.mcp_server.question.dialect import Metric
from petops.mcp_server.question.intents import Form, Meaning, Measure
from petops.mcp_server.question.measures import (
    BYTES,
    CORES,
    RATIO,
    Quantity,
    aligned,
    divided,
    metric_of,
    need,
    of_part,
    pod_cpu,
    pod_memory,
)
from petops.mcp_server.question.promql import Matcher, Sampling
from petops.mcp_server.question.selection import Part, Selection, UnanswerableError


def resource(meaning: Meaning, selection: Selection) -> Quantity:
    """Return memory or cpu of pods in the form that is asked for."""
    use = pod_memory if meaning.measure is Measure.MEMORY else pod_cpu
    match meaning.form:
        case Form.LIMIT:
            return bound(meaning, selection, "limits")
        case Form.REQUEST:
            return bound(meaning, selection, "requests")
        case Form.SHARE | Form.REQUEST_SHARE | Form.HEADROOM | Form.RUN_OUT:
            which = "requests" if meaning.form is Form.REQUEST_SHARE else "limits"
            return _against_bound(meaning, selection, use(meaning, selection), which)
        case _:
            return use(meaning, selection)


def _against_bound(meaning: Meaning, selection: Selection, used: Quantity, which: str) -> Quantity:
    """Return use as a share of what is allowed, or what is left of it."""
    allowed = bound(meaning, selection, which)
    metrics = (metric_of(meaning, selection), bound_metric(meaning, selection, which))

    def left(by: Sequence[str], at: Sampling) -> str:
        spare = aligned(selection, metrics, by, allowed.write(by, replace(at, function="")))
        return f"{spare} - {used.write(by, at)}"

    def part(by: Sequence[str], at: Sampling) -> str:
        below = aligned(selection, metrics, by, allowed.write(by, replace(at, function="")))
        return f"{used.write(by, at)} / {below}"

    name = f"{meaning.measure} {which.removesuffix('s')}"
    if meaning.form is Form.HEADROOM and not meaning.sentence.has("share"):
        return Quantity(write=left, unit=used.unit, default_by="pod", about=f"{name} left")
    if meaning.form is Form.HEADROOM:
        return Quantity(
            write=lambda by, at: f"1 - {part(by, at)}",
            unit=RATIO,
            default_by="pod",
            about=f"share of the {name} left",
            is_ratio=True,
        )
    return Quantity(
        write=part,
        unit=RATIO,
        default_by="pod",
        about=f"{used.about} as a share of the {name}",
        is_ratio=True,
    )


def bound(meaning: Meaning, selection: Selection, which: str) -> Quantity:
    """Return the limits or the requests of containers."""
    resource = "cpu" if meaning.measure is Measure.CPU else "memory"
    unit = CORES if resource == "cpu" else BYTES
    metric = selection.catalogue.first(f"kube_pod_container_resource_{which}")
    if metric is not None and resource in metric.labels.get("resource", ()):
        only = (Matcher("resource", "=", resource),)
        part = Part(metric=metric, matchers=only)
        return of_part(selection, part, unit, "pod", f"{resource} {which}", is_gauge=True)
    old = "cpu_cores" if resource == "cpu" else "memory_bytes"
    metric = selection.catalogue.first(f"kube_pod_container_resource_{which}_{old}")
    if metric is not None:
        part = Part(metric=metric)
        return of_part(selection, part, unit, "pod", f"{resource} {which}", is_gauge=True)
    if which == "limits" and resource == "memory":
        metric = need(selection, "container_spec_memory_limit_bytes", what="memory limits")
        part = Part(metric=metric, containers_only=True)
        quantity = of_part(selection, part, unit, "pod", "memory limits", is_gauge=True)
        return replace(quantity, write=lambda by, at: f"({quantity.write(by, at)} > 0)")
    if which == "limits":
        return _cpu_quota(selection)
    raise UnanswerableError(f"no metric here tells the {resource} {which} of containers")


def _cpu_quota(selection: Selection) -> Quantity:
    quota = need(selection, "container_spec_cpu_quota", what="cpu limits")
    period = need(selection, "container_spec_cpu_period", what="cpu limits")
    return divided(
        of_part(selection, Part(metric=quota, containers_only=True), CORES, "pod", "cpu limits"),
        of_part(
            selection, Part(metric=period, containers_only=True, function="avg"), "", "pod", ""
        ),
        selection,
        (quota, period),
        "cpu limits",
        CORES,
    )


def bound_metric(meaning: Meaning, selection: Selection, which: str) -> Metric:
    """Return the metric of limits or requests that `bound` takes."""
    old = "cpu_cores" if meaning.measure is Measure.CPU else "memory_bytes"
    stem = f"kube_pod_container_resource_{which}"
    kind = "cpu" if meaning.measure is Measure.CPU else "memory"
    metric = selection.catalogue.first(stem)
    if metric is not None and kind in metric.labels.get("resource", ()):
        return metric
    last = "container_spec_memory_limit_bytes" if kind == "memory" else "container_spec_cpu_quota"
    return need(selection, f"{stem}_{old}", last, what=f"{kind} {which}")
