"""Who calls whom, and what each node showed row by row: what the localisation of a fault reads.

A row is one period of a fixed length (five minutes, say); every series of one `Telemetry` has one
reading a row, oldest first. `None` and NaN mean "not measured", never zero. Names are opaque.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from petops.errors import UsageError

Series = tuple[float | None, ...]


class Symptom(StrEnum):
    """What the alarm at the target says is wrong."""

    LATENCY = "latency"
    ERRORS = "errors"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSeries:
    """What one node showed. An empty series was never measured.

    Attributes:
        requests: Requests answered in each row.
        latency_seconds: Mean seconds a request took.
        latency_quantile_seconds: Seconds by quantile (0.5, 0.99, ...), for nodes without a mean.
        error_ratio: Share of requests that failed, 0 to 1 (1 - availability).
    """

    requests: Series = ()
    latency_seconds: Series = ()
    latency_quantile_seconds: Mapping[float, Series] = field(default_factory=dict)
    error_ratio: Series = ()

    @property
    def every(self) -> tuple[Series, ...]:
        """All series, the empty ones too."""
        quantiles = self.latency_quantile_seconds.values()
        return (self.requests, self.latency_seconds, self.error_ratio, *quantiles)

    def between(self, start: int, stop: int) -> NodeSeries:
        """Return rows `start` to `stop`, the latter not included."""
        return NodeSeries(
            requests=self.requests[start:stop],
            latency_seconds=self.latency_seconds[start:stop],
            latency_quantile_seconds={
                quantile: series[start:stop]
                for quantile, series in self.latency_quantile_seconds.items()
            },
            error_ratio=self.error_ratio[start:stop],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Telemetry:
    """What the nodes showed in the same `rows` rows. A node that is not named was not measured."""

    rows: int
    nodes: Mapping[str, NodeSeries]

    def __post_init__(self) -> None:
        for name, node in self.nodes.items():
            for series in node.every:
                if series and len(series) != self.rows:
                    raise UsageError(
                        f"{name[:80]!r} has {len(series)} readings in {self.rows} rows",
                        hint="give one reading a row, and None where there is none",
                    )

    def of(self, node: str) -> NodeSeries:
        """Return the node's series; empty ones where it was not measured."""
        return self.nodes.get(node, _NOTHING)

    def between(self, start: int, stop: int) -> Telemetry:
        """Return rows `start` to `stop`, the latter not included."""
        rows = len(range(self.rows)[start:stop])
        nodes = {name: node.between(start, stop) for name, node in self.nodes.items()}
        return Telemetry(rows=rows, nodes=nodes)


_NOTHING = NodeSeries()


@dataclass(frozen=True)
class CallGraph:
    """Who calls whom: every node with its callees. Cycles and self-calls may be in it.

    Raises:
        UsageError: A callee is not a node itself; `CallGraph.of` adds it.
    """

    callees: Mapping[str, tuple[str, ...]]

    def __post_init__(self) -> None:
        for caller, callees in self.callees.items():
            for callee in callees:
                if callee not in self.callees:
                    raise UsageError(f"{caller[:80]!r} calls {callee[:80]!r}, which is no node")

    @classmethod
    def of(cls, calls: Iterable[tuple[str, str]], nodes: Iterable[str] = ()) -> CallGraph:
        """Make the graph of (caller, callee) pairs, and of nodes that may have no calls."""
        callees: dict[str, dict[str, None]] = {node: {} for node in nodes}
        for caller, callee in calls:
            callees.setdefault(caller, {})[callee] = None
            callees.setdefault(callee, {})
        return cls({node: tuple(called) for node, called in callees.items()})

    @cached_property
    def callers(self) -> Mapping[str, tuple[str, ...]]:
        """Every node with those who call it, itself left out."""
        found: dict[str, list[str]] = {node: [] for node in self.callees}
        for caller, callees in self.callees.items():
            for callee in callees:
                if callee != caller:
                    found[callee].append(caller)
        return {node: tuple(callers) for node, callers in found.items()}

    def depths(self, target: str) -> Mapping[str, int]:
        """Return each node that `target` reaches with the fewest calls to it; itself at 0."""
        depths = {target: 0}
        queue = [target]
        for node in queue:
            for callee in self.callees.get(node, ()):
                if callee not in depths:
                    depths[callee] = depths[node] + 1
                    queue.append(callee)
        return depths

    def callers_first(self, target: str) -> tuple[str, ...]:
        """Return what `target` reaches, each node after its callers (Kahn 1962).

        Where a cycle leaves no such order, the node nearest to the target goes first: the call
        back to it is the one that does not count.
        """
        depths = self.depths(target)
        waits = {
            node: sum(caller in depths for caller in self.callers[node]) if node != target else 0
            for node in depths
        }
        order: list[str] = []
        while waits:
            node = min(waits, key=lambda one: (waits[one] > 0, depths[one]))
            del waits[node]
            order.append(node)
            for callee in self.callees.get(node, ()):
                if callee in waits:
                    waits[callee] -= 1
        return tuple(order)
