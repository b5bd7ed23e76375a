"""Each measure as an expression: of pods, of services, of nodes. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from petops.mcp_server.question.dialect import Metric
from petops.mcp_server.question.intents import Meaning, Measure
from petops.mcp_server.question.promql import Matcher, Sampling, named
from petops.mcp_server.question.selection import Part, Selection, UnanswerableError

BYTES, CORES, RATIO, SECONDS, PER_SECOND, COUNT = "B", "cores", "ratio", "s", "/s", ""
BYTES_PER_SECOND = "B/s"
_BOTH_WAYS = (
    r" receive (?:compare|and) (?:bytes )?transmit | transmit (?:compare|and) (?:bytes )?receive "
)

Write = Callable[[Sequence[str], Sampling], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A measure that can be written by any roles and at any time.

    `default_by` tells single entities apart. `is_gauge`: each series may be given a function of its
    own (deriv, predict_linear); else that must be done on the finished curve.
    """

    write: Write
    unit: str
    default_by: str
    about: str
    is_gauge: bool = False
    is_counter: bool = False
    is_ratio: bool = False
    labels: Callable[[Sequence[str]], list[str]] = list


def pod_memory(meaning: Meaning, selection: Selection) -> Quantity:
    """Return memory of containers: the working set, which a limit counts, or what is named."""
    has = meaning.sentence.has
    kinds = [one for one in ("workingset", "rss", "cached") if has(one)]
    if len(kinds) > 1:
        return _memories(kinds, meaning, selection)
    if has("rss", "cached"):
        metric = need(selection, f"container_memory_{'rss' if has('rss') else 'cache'}")
    else:
        metric = metric_of(meaning, selection)
    part = Part(metric=metric, containers_only=True)
    about = metric.name.removeprefix("container_").removesuffix("_bytes").replace("_", " ")
    return of_part(selection, part, BYTES, "pod", about, is_gauge=True)


def _memories(kinds: Sequence[str], meaning: Meaning, selection: Selection) -> Quantity:
    """Return several kinds of a container's memory, told apart by a label."""
    stems = {"workingset": "working_set_bytes", "rss": "rss", "cached": "cache"}
    names = [stems[kind] for kind in kinds]
    parts = [
        Part(metric=need(selection, f"container_memory_{name}"), containers_only=True)
        for name in names
    ]
    abouts = [name.removesuffix("_bytes").replace("_", " ") for name in names]
    return Quantity(
        write=lambda by, at: " or ".join(
            named(selection.total(part, by, at), "measure", about)
            for part, about in zip(parts, abouts, strict=True)
        ),
        unit=BYTES,
        default_by="" if meaning.compared and selection.scope.is_narrow else "pod",
        about=f"memory: {' and '.join(abouts)}",
    )


def pod_cpu(_: Meaning, selection: Selection) -> Quantity:
    """Return the cores that containers use."""
    metric = need(selection, "container_cpu_usage_seconds_total", "container_cpu_usage_seconds")
    part = Part(metric=metric, containers_only=True, counter=True, matchers=_one_cpu(metric))
    return of_part(selection, part, CORES, "pod", "cpu")


def _one_cpu(metric: Metric) -> tuple[Matcher, ...]:
    values = metric.labels.get("cpu", set())
    return (Matcher("cpu", "=", "total"),) if "total" in values and len(values) > 1 else ()


def throttling(_: Meaning, selection: Selection) -> Quantity:
    """Return the share of scheduler periods in which a container was throttled."""
    over = need(selection, "container_cpu_cfs_throttled_periods_total", what="cpu throttling")
    periods = selection.catalogue.first("container_cpu_cfs_periods_total")
    part = Part(metric=over, counter=True, containers_only=True)
    if periods is None:
        return of_part(selection, part, PER_SECOND, "pod", "throttled periods")
    whole = replace(part, metric=periods)
    return divided(
        of_part(selection, part, "", "pod", ""),
        of_part(selection, whole, "", "pod", ""),
        selection,
        (over, periods),
        "throttled share of cpu periods",
        RATIO,
    )


def network(meaning: Meaning, selection: Selection) -> Quantity:
    """Return bytes a second, received, sent, or both."""
    has = meaning.sentence.has
    if has("error", "failed"):
        raise UnanswerableError("errors of the network are not among what is known here")
    into = has("receive") or meaning.sentence.matches(
        r"(?:network|traffic|bytes) (?:usage |rate |rps )?in "
    )
    out = has("transmit", "out")
    on_node = meaning_on_nodes(meaning) and selection.catalogue.first(
        "node_network_receive_bytes_total"
    )
    stem, kind = ("node_network", "node") if on_node else ("container_network", "pod")
    names = [
        f"{stem}_{way}_bytes_total"
        for way, wanted in (("receive", into), ("transmit", out))
        if wanted or into == out
    ]
    parts = [
        Part(metric=need(selection, name, what="network traffic"), counter=True) for name in names
    ]
    ways = {1: "received" if into else "sent", 2: "received and sent"}[len(parts)]
    single = [
        of_part(selection, part, BYTES_PER_SECOND, kind, f"network bytes {ways}") for part in parts
    ]
    if len(single) == 1:
        return replace(single[0], is_counter=True)
    if meaning.sentence.matches(_BOTH_WAYS):
        ends = zip(("received", "sent"), single, strict=True)
        apart = [(name, one) for name, one in ends]
        return replace(
            single[0],
            write=lambda by, at: " or ".join(
                named(one.write(by, at), "direction", name) for name, one in apart
            ),
            about="network bytes received, and sent",
            is_counter=True,
        )
    selection.notes.append("network traffic read as bytes received and sent together")
    return replace(
        single[0],
        write=lambda by, at: " + ".join(one.write(by, at) for one in single),
        is_counter=True,
    )


def restarts(_: Meaning, selection: Selection) -> Quantity:
    """Return how often containers were restarted."""
    metric = need(
        selection,
        "kube_pod_container_status_restarts_total",
        "kube_pod_container_status_restarts",
        what="restarts",
    )
    return event_count(selection, metric, "restarts")


def oom_kills(_: Meaning, selection: Selection) -> Quantity:
    """Return OOM kills: as cAdvisor counts them, else pods whose last end was one."""
    counter = selection.catalogue.first("container_oom_events_total")
    if counter is not None:
        return event_count(selection, counter, "OOM kills")
    metric = need(selection, "kube_pod_container_status_last_terminated_reason", what="OOM kills")
    part = Part(metric=metric, matchers=(Matcher("reason", "=", "OOMKilled"),))
    return of_part(
        selection, part, COUNT, "pod", "containers whose last end was an OOM kill", is_gauge=True
    )


def evictions(_: Meaning, selection: Selection) -> Quantity:
    """Return evictions by the kubelet."""
    return event_count(
        selection, need(selection, "kubelet_evictions", what="evictions"), "evictions", "node"
    )


def event_count(selection: Selection, metric: Metric, about: str, kind: str = "pod") -> Quantity:
    """Return a counter of rare events: its total, or its increase over a window."""
    part = Part(metric=metric, counter=True)
    total = replace(part, counter=False)

    def write(by: Sequence[str], at: Sampling) -> str:
        return selection.total(part if at.counter == "increase" else total, by, at)

    return Quantity(write=write, unit=COUNT, default_by=kind, about=about, is_counter=True)


def divided(  # noqa: PLR0917 - numerator, denominator and what they are of
    top: Quantity,
    bottom: Quantity,
    selection: Selection,
    metrics: tuple[Metric, Metric],
    about: str,
    unit: str,
) -> Quantity:
    """Return one quantity divided by another, whose labels may be called otherwise."""

    def write(by: Sequence[str], at: Sampling) -> str:
        below = aligned(selection, metrics, by, bottom.write(by, at))
        return f"{top.write(by, at)} / {below}"

    return Quantity(write=write, unit=unit, default_by=top.default_by, about=about, is_ratio=True)


def aligned(
    selection: Selection, metrics: tuple[Metric, Metric], by: Sequence[str], expression: str
) -> str:
    """Return an expression of the second metric under the label names of the first."""
    first, second = (selection.labels(metric, by) for metric in metrics)
    for left, right in zip(first, second, strict=True):
        if left != right:
            expression = f'label_replace({expression}, "{left}", "$1", "{right}", "(.*)")'
    if first != second:
        return f"sum by ({', '.join(first)}) ({expression})"
    return expression


def of_part(
    selection: Selection, part: Part, unit: str, kind: str, about: str, *, is_gauge: bool = False
) -> Quantity:
    """Return the quantity of one vector."""
    return Quantity(
        write=lambda by, at: selection.total(part, by, at),
        unit=unit,
        default_by=kind,
        about=about,
        is_gauge=is_gauge,
    )


def need(selection: Selection, *names: str, what: str = "") -> Metric:
    """Return the first of these metrics; refuse where this Prometheus has none."""
    metric = selection.catalogue.first(*names)
    if metric is None:
        subject = what or names[0]
        raise UnanswerableError(f"no metric here tells {subject}: {names[0]} has no series")
    return metric


def meaning_on_nodes(meaning: Meaning) -> bool:
    """Say whether nodes themselves are meant, and not what runs on them."""
    sentence = meaning.sentence
    if any(
        kind in meaning.by for kind in ("pod", "service", "deployment", "container", "namespace")
    ):
        return False
    if any(one.kind not in {"node"} for one in meaning.entities):
        return False
    if meaning.top is not None and len(meaning.entities) == 1 and not sentence.has("node"):
        return False  # on one node, only what runs there can be ranked
    return (
        "node" in meaning.by
        or sentence.has("node")
        or any(one.kind == "node" for one in meaning.entities)
    )


def metric_of(meaning: Meaning, selection: Selection) -> Metric:
    """Return the metric of use."""
    if meaning.measure is Measure.CPU:
        return need(selection, "container_cpu_usage_seconds_total", "container_cpu_usage_seconds")
    return need(selection, "container_memory_working_set_bytes", "container_memory_usage_bytes")
