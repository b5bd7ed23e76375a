"""The bookkeeping of excess: how much more than normal each node waited or failed, and for whom.

A node's excess in a row is its requests times what each took, or failed, beyond normal. By
Little's law (1961) requests times seconds is the number of requests held at once, so that excess
adds up along calls: what a callee has is charged to its callers, shared by their requests. Taking
it away from a caller leaves the excess of its own, as exclusive time does in tracing (Sigelman et
al., Dapper, 2010).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import fsum, inf, log
from statistics import median

from petops.domain.call_graph import CallGraph, NodeSeries, Symptom, Telemetry

Call = tuple[str, str]
Column = Sequence[float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """One telemetry's accounts, a value a row: seconds waited, or requests failed.

    Attributes:
        target: The node that all is seen from.
        excess: Each node's excess, callers before their callees, the target first.
        charged: What each callee's excess means for a caller, by (caller, callee), in the callees'
            order. Calls back in a cycle are left out.
        shares: The part of the callee's requests that comes from the caller.
    """

    target: str
    excess: Mapping[str, Column]
    charged: Mapping[Call, Column]
    shares: Mapping[Call, Sequence[float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """What is normal for a node: `cost` a request (seconds, or failures), and requests a row.

    None is not known.
    """

    cost: float | None
    requests: float | None


def levels(graph: CallGraph, normal: Telemetry, symptom: Symptom) -> Mapping[str, Level]:
    """Return each node's normal level, the median of its rows."""
    found = {}
    for node in graph.callees:
        series = normal.of(node)
        found[node] = Level(
            cost=_median(costs(series, symptom)), requests=_median(readings(series.requests))
        )
    return found


def open_ledger(
    graph: CallGraph,
    telemetry: Telemetry,
    target: str,
    symptom: Symptom,
    normal: Mapping[str, Level],
) -> Ledger:
    """Write the accounts of `telemetry`, row by row, for all that `target` reaches."""
    order = graph.callers_first(target)
    place = {node: index for index, node in enumerate(order)}
    callers = {
        node: [one for one in graph.callers[node] if place.get(one, -1) < place[node]]
        for node in order
    }
    counted = {*order, *(caller for found in callers.values() for caller in found)}
    requests = _requests(counted, telemetry, normal)
    excess = {
        node: _excess(telemetry.of(node), requests[node], symptom, normal[node]) for node in order
    }
    shares = {
        (caller, node): share
        for node in order
        for caller, share in _shares({one: requests[one] for one in callers[node]})
        if caller in place
    }
    charged = {
        (caller, node): excess[node] if len(callers[node]) == 1 else _part(share, excess[node])
        for (caller, node), share in shares.items()
    }
    return Ledger(target=target, excess=excess, charged=charged, shares=shares)


def readings(series: Column) -> list[float | None]:
    """Return the series with None for whatever is no finite number of at least 0."""
    return [value if value is not None and 0 <= value < inf else None for value in series]


def costs(node: NodeSeries, symptom: Symptom) -> list[float | None]:
    """Return what a request cost in each row: the share that failed, or its mean seconds.

    Without a mean it is made from the quantiles, of whose function it is the integral.
    """
    if symptom is Symptom.ERRORS:
        return readings(node.error_ratio)
    means = readings(node.latency_seconds)
    if any(mean is not None for mean in means):
        return means
    quantiles = sorted((at, readings(s)) for at, s in node.latency_quantile_seconds.items() if s)
    columns = [column for _, column in quantiles]
    return [_integral([at for at, _ in quantiles], row) for row in zip(*columns, strict=True)]


def _integral(ratios: Sequence[float], seconds: Sequence[float | None]) -> float | None:
    """Join two or more quantiles by straight lines, and add an exponential tail.

    The mean of an exponential tail lies beyond its first quantile by its scale, which the last two
    quantiles give. One quantile alone says nothing of the mean.
    """
    points = [(ratio, at) for ratio, at in zip(ratios, seconds, strict=True) if at is not None]
    if len(points) < 2 or points[-1][0] >= 1:
        return None
    (before, low), (last, high) = points[-2:]
    tail = high + (high - low) / log((1 - before) / (1 - last))
    lines = [(b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in pairwise([(0.0, points[0][1]), *points])]
    return fsum([*lines, (1 - last) * tail])


def _median(column: Column) -> float | None:
    known = [value for value in column if value is not None]
    return median(known) if known else None


def _requests(
    nodes: Iterable[str], telemetry: Telemetry, normal: Mapping[str, Level]
) -> Mapping[str, list[float]]:
    """Return every node's requests a row, the gaps filled.

    With the node's own usual number here, else its normal one, else that of a usual node.
    """
    columns = {
        node: readings(telemetry.of(node).requests) or [None] * telemetry.rows for node in nodes
    }
    usual = {node: _median(column) for node, column in columns.items()}
    anyone = _median(list(usual.values()))
    filled = {}
    for node, column in columns.items():
        known = (usual[node], normal[node].requests, anyone, 1.0)
        gap = next(value for value in known if value is not None)
        filled[node] = [gap if value is None else value for value in column]
    return filled


def _excess(node: NodeSeries, requests: Sequence[float], symptom: Symptom, normal: Level) -> Column:
    """Return requests times cost above normal.

    No requests, no excess. A node that the normal period does not know counts from its cheapest
    row here, which can only make its excess too small.
    """
    column = costs(node, symptom) or [None] * len(requests)
    base = normal.cost
    if base is None:
        base = min((cost for cost in column if cost is not None), default=None)
    return [
        0.0 if many == 0 else None if cost is None or base is None else many * (cost - base)
        for many, cost in zip(requests, column, strict=True)
    ]


def _shares(callers: Mapping[str, Sequence[float]]) -> list[tuple[str, list[float]]]:
    """Return which part of a node's calls each caller makes in each row, by its requests."""
    totals = [fsum(row) for row in zip(*callers.values(), strict=True)]
    return [
        (name, [many / total if total else 0.0 for many, total in zip(row, totals, strict=True)])
        for name, row in callers.items()
    ]


def _part(share: Sequence[float], excess: Column) -> Column:
    return [
        None if value is None else part * value for part, value in zip(share, excess, strict=True)
    ]
