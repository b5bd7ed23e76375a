"""What the lab's metrics are made from: the world as it is, or was at a moment of its history."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from petops.lab.usage import ContainerUsage, NodeUsage, ServiceTraffic


class Objects(Protocol):
    """The cluster's objects, by resource (plural)."""

    def objects(self, resource: str, namespace: str = "") -> Iterator[dict[str, Any]]:
        """Return a resource's objects."""


class Telemetry(Protocol):
    """The part of `World` that metrics and alarms read."""

    @property
    def store(self) -> Objects: ...

    def usage(self) -> Sequence[ContainerUsage]: ...

    def traffic(self) -> Sequence[ServiceTraffic]: ...

    def nodes_usage(self) -> Sequence[NodeUsage]: ...

    def silent_nodes(self) -> frozenset[str]: ...

    def history(self, at: datetime) -> Sequence[ContainerUsage]: ...

    def traffic_history(self, at: datetime) -> Sequence[ServiceTraffic]: ...

    def nodes_history(self, at: datetime) -> Sequence[NodeUsage]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything that exporters show, of one moment."""

    usages: Sequence[ContainerUsage]
    nodes: Sequence[NodeUsage]
    traffic: Sequence[ServiceTraffic]
    store: Objects
    silent: frozenset[str] = frozenset()
    """The nodes whose kubelet is not running."""
    _by_node: dict[str, tuple[list[ContainerUsage], list[NodeUsage]]] = field(
        default_factory=dict, repr=False
    )

    def at(self, otherwise: datetime) -> datetime:
        """Return the moment that the nodes' figures are of."""
        return max((node.at for node in self.nodes), default=otherwise)

    @classmethod
    def now(cls, world: Telemetry) -> Snapshot:
        """Return the world as it is."""
        return cls(
            usages=world.usage(),
            nodes=world.nodes_usage(),
            traffic=world.traffic(),
            store=world.store,
            silent=world.silent_nodes(),
        )

    @classmethod
    def past(cls, world: Telemetry, at: datetime) -> Snapshot:
        """Return the world as it was; its objects were then as they are, as far as they existed."""
        return cls(
            usages=world.history(at),
            nodes=world.nodes_history(at),
            traffic=world.traffic_history(at),
            store=world.store,
        )

    def of_node(self, name: str) -> tuple[Sequence[ContainerUsage], Sequence[NodeUsage]]:
        """Return what belongs to one node."""
        if not self._by_node:
            for usage in self.usages:
                self._by_node.setdefault(usage.node, ([], []))[0].append(usage)
            for node in self.nodes:
                self._by_node.setdefault(node.node, ([], []))[1].append(node)
        return self._by_node.get(name, ((), ()))

    def has_node(self, name: str) -> bool:
        """Say whether the cluster has this node, so that something can answer there."""
        return bool(self.of_node(name)[1])


class Snapshots:
    """The present, made anew only when the last one is older than `seconds` of the clock's time."""

    def __init__(self, world: Telemetry, seconds: float, monotonic: Callable[[], float]) -> None:
        self._world, self._seconds, self._monotonic = world, seconds, monotonic
        self._made_at = -float("inf")
        self._last: Snapshot | None = None

    def now(self) -> Snapshot:
        """Return a snapshot that is fresh enough."""
        if self._last is None or self._monotonic() - self._made_at > self._seconds:
            self._last, self._made_at = Snapshot.now(self._world), self._monotonic()
        return self._last
