"""Two service graphs, lately and before, as one map. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from petops.domain.traces import ServiceEdge, ServiceGraph, ServiceNode
from petops.domain.tracing import MapNode, ServiceMap

_CLIENT = "client"


def service_map_of(lately: ServiceGraph, before: ServiceGraph) -> ServiceMap:
    """Return every service of either, with its counts of both; callers outside are left out."""
    now, then = _by_name(lately), _by_name(before)
    names = dict.fromkeys((*now, *then))
    return ServiceMap(
        alarmed="",
        nodes=tuple(_node(name, now.get(name), then.get(name)) for name in names),
        edges=_edges((*now.values(), *then.values())),
    )


def _by_name(graph: ServiceGraph) -> dict[str, ServiceNode]:
    """Join the nodes of one name: a service that was once not reached stands there twice."""
    found: dict[str, ServiceNode] = {}
    for one in graph.nodes:
        if one.kind == _CLIENT:
            continue
        had = found.get(one.name)
        found[one.name] = one if had is None else _joined(had, one)
    return found


def _joined(one: ServiceNode, other: ServiceNode) -> ServiceNode:
    larger = max(one, other, key=lambda each: each.requests)
    return replace(
        larger,
        is_root=one.is_root or other.is_root,
        requests=one.requests + other.requests,
        faults=one.faults + other.faults,
        errors=one.errors + other.errors,
        throttles=one.throttles + other.throttles,
        total_seconds=one.total_seconds + other.total_seconds,
        edges=(*one.edges, *other.edges),
    )


def _node(name: str, now: ServiceNode | None, then: ServiceNode | None) -> MapNode:
    known = now or then
    return MapNode(
        service=name,
        kind=known.kind if known else "",
        is_root=known.is_root if known else False,
        requests=now.requests if now else 0,
        faults=now.faults if now else 0,
        mean_seconds=now.mean_seconds if now else None,
        own_seconds=now.own_seconds if now else None,
        before_requests=then.requests if then else 0,
        before_faults=then.faults if then else 0,
        before_mean_seconds=then.mean_seconds if then else None,
        before_own_seconds=then.own_seconds if then else None,
    )


def _edges(nodes: Iterable[ServiceNode]) -> tuple[ServiceEdge, ...]:
    """Return each call once; counts are those of lately where it was made then."""
    found: dict[tuple[str, str], ServiceEdge] = {}
    for node in nodes:
        for one in node.edges:
            if one.callee != one.caller:
                found.setdefault((one.caller, one.callee), one)
    return tuple(found.values())
