"""The service graph: what X-Ray adds up over traces, one node a service, one edge a caller."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from petops.lab.xray_parts import CLIENT, Part
from petops.lab.xray_summaries import service_id

Json = dict[str, Any]


@dataclass(slots=True)
class _Sum:
    """Counts of one node or edge."""

    count: int = 0
    faults: int = 0
    seconds: float = 0.0
    first: float = 0.0
    last: float = 0.0
    histogram: Counter[float] = field(default_factory=Counter)

    def add(self, start: float, seconds: float, failed: bool) -> None:
        """Count one request."""
        self.first = start if not self.count else min(self.first, start)
        self.last = max(self.last, start + seconds)
        self.count += 1
        self.faults += failed
        self.seconds += seconds
        self.histogram[_rounded(seconds)] += 1

    def shown(self) -> Json:
        """Return what nodes and edges have in common."""
        return {
            "StartTime": self.first,
            "EndTime": self.last,
            "SummaryStatistics": {
                "OkCount": self.count - self.faults,
                "ErrorStatistics": {"ThrottleCount": 0, "OtherCount": 0, "TotalCount": 0},
                "FaultStatistics": {"OtherCount": self.faults, "TotalCount": self.faults},
                "TotalCount": self.count,
                "TotalResponseTime": round(self.seconds, 6),
            },
            "ResponseTimeHistogram": [
                {"Value": value, "Count": count} for value, count in sorted(self.histogram.items())
            ],
        }


def service_graph(traces: Iterable[Sequence[Part]], account: str) -> list[Json]:
    """Return the nodes with their edges, callers first."""
    nodes: dict[tuple[str, str], _Sum] = {}
    edges: dict[tuple[str, tuple[str, str]], _Sum] = {}
    roots: dict[str, None] = {}
    for parts in traces:
        for part in parts:
            key = (part.name, part.type)
            nodes.setdefault(key, _Sum()).add(part.start, part.seconds, part.failed)
            edge = edges.setdefault((part.caller, key), _Sum())
            edge.add(part.start, part.called_seconds, part.called_failed)
            if part.root:
                roots[part.caller] = None
    callers = [(name, CLIENT) for name in roots]
    numbers = {key: position for position, key in enumerate((*callers, *nodes))}
    return [
        *(_client(key, numbers, edges, account) for key in callers),
        *(
            _node(key, one, _edges(key[0], numbers, edges), account)
            | {"ReferenceId": numbers[key]}
            | ({"Root": True} if any((root, key) in edges for root in roots) else {})
            for key, one in nodes.items()
        ),
    ]


def _client(
    key: tuple[str, str],
    numbers: dict[tuple[str, str], int],
    edges: dict[tuple[str, tuple[str, str]], _Sum],
    account: str,
) -> Json:
    own = [one for (caller, _), one in edges.items() if caller == key[0]]
    return {
        "ReferenceId": numbers[key],
        **service_id(*key, account),
        "State": "unknown",
        "StartTime": min(one.first for one in own),
        "EndTime": max(one.last for one in own),
        "Edges": _edges(key[0], numbers, edges),
    }


def _node(key: tuple[str, str], found: _Sum, edges: list[Json], account: str) -> Json:
    shown = found.shown()
    return {
        **service_id(*key, account),
        "State": "active",
        **shown,
        "DurationHistogram": shown["ResponseTimeHistogram"],
        "Edges": edges,
    }


def _edges(
    caller: str,
    numbers: dict[tuple[str, str], int],
    edges: dict[tuple[str, tuple[str, str]], _Sum],
) -> list[Json]:
    return [
        {"ReferenceId": numbers[callee], **one.shown(), "Aliases": []}
        for (source, callee), one in edges.items()
        if source == caller
    ]


def _rounded(seconds: float) -> float:
    """Return the middle of a bucket of a histogram: two figures tell enough."""
    return float(f"{seconds:.2g}")
