"""How large a lab is: the application once, or many times over, on as many nodes as that takes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from petops.domain.subject import ClusterName
from petops.lab import application
from petops.lab.store import Json

LARGEST: Final = 600
HISTORY: Final = timedelta(hours=1)
KEPT: Final = timedelta(hours=3)
_PODS: Final = 11
_PODS_OF_A_COPY: Final = 10
_SYSTEM_PODS: Final = 4
_PODS_EACH_NODE: Final = 16
_PODS_EACH_LARGE_NODE: Final = 25
_MANY: Final = 500
_FEW_NODES: Final = 3
_SMALL: Final = 8
_SHORTEST: Final = timedelta(minutes=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """A lab's size: `copies` of the application, the first in its own namespace."""

    copies: int = 1

    @property
    def pods(self) -> int:
        """About how many pods there are, those on every node left out."""
        return _PODS + _PODS_OF_A_COPY * (self.copies - 1) + _SYSTEM_PODS

    @property
    def has_large_nodes(self) -> bool:
        return self.pods > _MANY

    @property
    def nodes(self) -> int:
        each = _PODS_EACH_LARGE_NODE if self.has_large_nodes else _PODS_EACH_NODE
        return max(_FEW_NODES, math.ceil(self.pods / each))

    @property
    def is_small(self) -> bool:
        return self.copies <= _SMALL

    @property
    def history(self) -> timedelta:
        """How much of the past a new lab has measurements of."""
        return HISTORY if self.is_small else max(HISTORY / self.copies, _SHORTEST)

    @property
    def kept(self) -> timedelta:
        """For how long measurements are kept."""
        return KEPT if self.is_small else max(KEPT / self.copies, 2 * _SHORTEST)

    @property
    def scrape_seconds(self) -> int:
        """How far apart Prometheus looks."""
        return max(1, min(math.ceil(self.pods / 170), 30))

    @property
    def look_seconds(self) -> float:
        """How far apart alarms are evaluated: a look at 5,000 pods takes half a second."""
        return max(1.0, math.ceil(self.pods / 1600))

    @property
    def shares(self) -> Mapping[str, float]:
        """Requests at each service for each that the generator sends."""
        shares = dict(application.REQUESTS_FOR_EACH)
        for number in range(2, self.copies + 1):
            shares |= {
                f"{name}-{number}": share for name, share in application.REQUESTS_FOR_EACH.items()
            }
        return shares

    def applied(self, start: datetime, cluster: ClusterName) -> list[tuple[datetime, Json]]:
        """Return what was applied when, oldest first."""
        found = application.history(start, cluster)
        for number in range(2, self.copies + 1):
            found += _copy(number, start, cluster)
        return sorted(found, key=lambda one: one[0])


def _copy(number: int, start: datetime, cluster: ClusterName) -> Iterator[tuple[datetime, Json]]:
    """Yield one more application, in a namespace of its own: its present release only."""
    namespace = f"team-{number}"
    first = start - timedelta(days=1, seconds=number)
    metadata = {"name": namespace}
    yield first, {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
    for workload in application.WORKLOADS:
        if workload.port is None:
            continue
        tag = workload.releases[-1][0]
        named = replace(workload, name=f"{workload.name}-{number}")
        objects = (
            application.deployment(named, tag, cluster, replicas=named.replicas),
            *application.around(named),
        )
        for one in objects:
            one["metadata"] = {**one["metadata"], "namespace": namespace}
            yield first + timedelta(seconds=1), one
