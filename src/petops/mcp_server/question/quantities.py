"""Every measure with what writes it; and the counts of things. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from petops.mcp_server.question import bounds, measures, nodes, states, traffic
from petops.mcp_server.question.forms import roles
from petops.mcp_server.question.intents import Meaning, Measure
from petops.mcp_server.question.measures import Quantity
from petops.mcp_server.question.promql import Sampling, aggregated
from petops.mcp_server.question.selection import WORKLOAD, Selection
from petops.mcp_server.question.units import Written


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """One curve to look for anomalies in."""

    about: str
    promql: str
    unit: str
    by: str


def quantity_of(meaning: Meaning, selection: Selection) -> Quantity:
    """Return the measure that is meant."""
    on_nodes = measures.meaning_on_nodes(meaning)
    if (
        on_nodes
        and meaning.measure is Measure.MEMORY
        and nodes.has_nodes(selection, "node_memory_MemTotal_bytes")
    ):
        return nodes.memory(meaning, selection)
    if (
        on_nodes
        and meaning.measure is Measure.CPU
        and nodes.has_nodes(selection, "node_cpu_seconds_total")
    ):
        return nodes.cpu(meaning, selection)
    if meaning.measure is Measure.METRIC:
        name = meaning.sentence.metrics[0]
        return traffic.literal(measures.need(selection, name), selection)
    return QUANTITIES[meaning.measure](meaning, selection)


QUANTITIES: Final[Mapping[Measure, Callable[[Meaning, Selection], Quantity]]] = {
    Measure.MEMORY: bounds.resource,
    Measure.CPU: bounds.resource,
    Measure.THROTTLING: measures.throttling,
    Measure.NETWORK: measures.network,
    Measure.RESTARTS: measures.restarts,
    Measure.OOM: measures.oom_kills,
    Measure.EVICTIONS: measures.evictions,
    Measure.REQUESTS: traffic.requests,
    Measure.ERRORS: traffic.errors,
    Measure.ERROR_RATIO: traffic.error_ratio,
    Measure.SUCCESS: traffic.success,
    Measure.LATENCY: traffic.latency,
    Measure.DISK_IO: nodes.disk_io,
    Measure.DISK_SPACE: nodes.disk_space,
    Measure.LOAD: nodes.load,
    Measure.CONDITION: nodes.condition,
    Measure.REPLICAS: states.replicas,
    Measure.HPA: states.autoscaler,
}


def watched_of(meaning: Meaning, selection: Selection) -> Watched:
    """Return the curve of a measure in which to look for anomalies, each thing by itself."""
    quantity = quantity_of(meaning, selection)
    by = roles(meaning, quantity, selection.scope) or (quantity.default_by,)
    if quantity.default_by == "pod" or not meaning.by or by == ("namespace",):
        # Each pod by itself: of a sum over pods one that is odd may not be seen.
        by = (WORKLOAD,) if quantity.default_by == "service" else (quantity.default_by,)
    return Watched(
        about=quantity.about, promql=quantity.write(by, Sampling()), unit=quantity.unit, by=by[0]
    )


def counted(meaning: Meaning, selection: Selection) -> tuple[str, Written]:
    """Return how many things there are, or which."""
    spoken = [one for one in meaning.sentence.row.split() if one in states.KINDS]
    asked = [one for one in re.findall(r" per (\w+)", meaning.sentence.row) if one in states.KINDS]
    kind = next((one for one in spoken if one not in asked), "pod")
    quantity = states.things(meaning, selection, kind)
    per = [WORKLOAD if one in {"service", "deployment"} else one for one in asked]
    at = Sampling(ago=meaning.times.ago or 0.0)
    result = Written(promql=quantity.write(per, at), unit="", by=(kind,), may_be_empty=True)
    if meaning.counted or asked or meaning.sentence.has("total") or meaning.threshold is not None:
        promql = aggregated("count", quantity.labels(per), result.promql) + (
            "" if per else " or vector(0)"
        )
        result = replace(result, promql=promql, by=tuple(per))
    if meaning.times.window is not None:
        result = replace(result, window=meaning.times.window, until=meaning.times.until)
    return f"{'number of ' if meaning.counted else ''}{quantity.about}", result
