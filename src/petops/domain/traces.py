"""Requests as they went through the services: segments, whose own time is told from their waits.

Traces come with holes: a segment may be missing, be still under way, or name a parent that is below
it. Nothing here relies on a tree.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """What one service did for a request, or (a subsegment) one step of it.

    `kind` is where it ran or what it was (`AWS::EKS::Container`, `Database::SQL`, `remote`, `aws`,
    empty for a step inside of the service). `end` is None while it is under way. An `is_inferred`
    segment was never sent: it is its caller's view.
    """

    id: str
    parent_id: str = ""
    name: str
    kind: str = ""
    start: datetime
    end: datetime | None
    is_subsegment: bool = False
    is_inferred: bool = False
    has_fault: bool = False
    has_error: bool = False
    has_throttle: bool = False
    status: int | None = None
    url: str = ""
    operation: str = ""
    pod: str = ""
    container_id: str = ""
    message: str = ""
    annotations: tuple[tuple[str, str], ...] = ()

    @property
    def seconds(self) -> float:
        """How long it took; 0 while it is under way, or where its clock ran backwards."""
        return max((self.end - self.start).total_seconds(), 0.0) if self.end else 0.0

    @property
    def is_step(self) -> bool:
        """Whether this is a step inside of a service, and no call to another."""
        return self.is_subsegment and self.kind not in {"remote", "aws"}


@dataclass(frozen=True, kw_only=True)
class Trace:
    """One request with all segments that are known of it, subsegments beside them."""

    id: str
    segments: tuple[Segment, ...]
    is_cut: bool = False

    @cached_property
    def by_id(self) -> Mapping[str, Segment]:
        """The segments by their ids; of two with one id the first."""
        return {one.id: one for one in reversed(self.segments)}

    @cached_property
    def children(self) -> Mapping[str, tuple[Segment, ...]]:
        """The segments below each, by the id of the one above."""
        found: dict[str, list[Segment]] = {}
        for one in self.segments:
            if one.parent_id and one.parent_id != one.id:
                found.setdefault(one.parent_id, []).append(one)
        return {key: tuple(below) for key, below in found.items()}

    @property
    def roots(self) -> tuple[Segment, ...]:
        """The segments whose parent is not known."""
        return tuple(one for one in self.segments if one.parent_id not in self.by_id)

    @property
    def seconds(self) -> float:
        """From the first start to the last end."""
        ends = [one.end for one in self.segments if one.end is not None]
        if not ends:
            return 0.0
        first = min(one.start for one in self.segments)
        return max((max(ends) - first).total_seconds(), 0.0)

    def own_seconds(self, segment: Segment) -> float:
        """Return a segment's duration less the time in which any of its children ran."""
        if segment.end is None:
            return 0.0
        begin, end = segment.start.timestamp(), segment.end.timestamp()
        spans = (
            (max(one.start.timestamp(), begin), min(one.end.timestamp(), end))
            for one in self.children.get(segment.id, ())
            if one.end is not None
        )
        return max(segment.seconds - covered(spans), 0.0)

    def walk(self) -> Iterator[Segment]:
        """Yield every segment once, callers before those they called where that is known."""
        seen: set[str] = set()
        waiting = [*reversed(self.segments), *reversed(self.roots)]
        while waiting:
            one = waiting.pop()
            if one.id not in seen:
                seen.add(one.id)
                yield one
                waiting += reversed(self.children.get(one.id, ()))

    def segment_of(self, segment: Segment) -> Segment:
        """Return the whole segment that a subsegment is a step of; itself where there is none."""
        seen: set[str] = set()
        one = segment
        while one.is_subsegment and one.id not in seen and one.parent_id in self.by_id:
            seen.add(one.id)
            one = self.by_id[one.parent_id]
        return one

    def service_of(self, segment: Segment) -> str:
        """Return the service that a segment belongs to: that of the segment it is a step of."""
        return self.segment_of(segment).name

    def own_seconds_by_service(self) -> Mapping[str, float]:
        """Return each service's own time in this request: its segments' and their steps'.

        What a caller waited for somebody who sent no segment counts for that one's name.
        """
        found: dict[str, float] = {}
        for one in self.segments:
            is_call = one.is_subsegment and not one.is_step
            if is_call and self.children.get(one.id):
                continue
            name = one.name if is_call else self.service_of(one)
            found[name] = found.get(name, 0.0) + self.own_seconds(one)
        return found


def covered(spans: Iterable[tuple[float, float]]) -> float:
    """Return how long at least one of some spans of time lasted."""
    total, reached = 0.0, float("-inf")
    for start, end in sorted(spans):
        if end > max(start, reached):
            total += end - max(start, reached)
            reached = end
    return total


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which requests are looked for: those that a service took part in, at most `limit`.

    Slowness and failure are the service's own, or the whole request's where none is named.
    """

    service: str = ""
    slower_than_seconds: float | None = None
    failed: bool = False
    limit: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceSummary:
    """One request in brief. `slow_path` leads from its entry to where most of its time went."""

    id: str
    start: datetime
    seconds: float
    has_fault: bool = False
    has_error: bool = False
    has_throttle: bool = False
    status: int | None = None
    url: str = ""
    services: tuple[str, ...] = ()
    slow_path: tuple[str, ...] = ()
    fault_path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceEdge:
    """The calls of one service to another, as the caller saw them."""

    caller: str
    callee: str
    requests: int = 0
    faults: int = 0
    errors: int = 0
    throttles: int = 0
    total_seconds: float = 0.0

    @property
    def mean_seconds(self) -> float | None:
        return self.total_seconds / self.requests if self.requests else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceNode:
    """One service of a service graph, as it saw itself."""

    name: str
    kind: str = ""
    is_root: bool = False
    requests: int = 0
    faults: int = 0
    errors: int = 0
    throttles: int = 0
    total_seconds: float = 0.0
    edges: tuple[ServiceEdge, ...] = ()

    @property
    def mean_seconds(self) -> float | None:
        return self.total_seconds / self.requests if self.requests else None

    @property
    def own_seconds(self) -> float | None:
        """Mean time of a request less that of the calls; None where nothing was counted.

        Calls that ran at the same time are taken off each: it is the least that it can be.
        """
        if not self.requests:
            return None
        waited = sum(edge.total_seconds for edge in self.edges)
        return max(self.total_seconds - waited, 0.0) / self.requests


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceGraph:
    """Services with their calls, over a window."""

    nodes: tuple[ServiceNode, ...] = field(default=())

    def node(self, name: str) -> ServiceNode | None:
        """Return a service that is no client; None where there is none of this name."""
        found = (one for one in self.nodes if one.name == name and one.kind != "client")
        return next(found, None)

    @property
    def calls(self) -> tuple[tuple[str, str], ...]:
        """Who calls whom."""
        return tuple((edge.caller, edge.callee) for node in self.nodes for edge in node.edges)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line that a container wrote."""

    at: datetime
    pod: str
    container: str
    text: str

    def cut(self, longest: int) -> LogLine:
        """Return the line with no more than its first characters."""
        return self if len(self.text) <= longest else replace(self, text=self.text[:longest])
