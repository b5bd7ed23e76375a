"""What runs where, and who calls whom: what tells at intake that several alarms have one cause."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from petops.domain.subject import Kind, Subject

NO_NODE = ""
"""Where a pod is that no node has taken yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """A cluster at one moment; what stands in none of its parts is not known.

    `owners` has the workload of each pod and of each Service that selects one workload's pods.
    `unready` has, by workload and node, how many of its pods are not ready; `pods` how many pods it
    has. `sick_nodes` says what is wrong with a node. `changed_at` is when a workload's present
    template was rolled out. `calls` has whom a workload calls.
    """

    at: datetime | None = None
    owners: Mapping[Subject, Subject] = field(default_factory=dict)
    pods: Mapping[Subject, int] = field(default_factory=dict)
    unready: Mapping[Subject, Mapping[str, int]] = field(default_factory=dict)
    sick_nodes: Mapping[str, str] = field(default_factory=dict)
    changed_at: Mapping[Subject, datetime] = field(default_factory=dict)
    calls: Mapping[Subject, frozenset[Subject]] = field(default_factory=dict)

    def workload(self, subject: Subject) -> Subject:
        """Return what a pod or a Service stands for; everything else stands for itself."""
        return self.owners.get(subject, subject)

    def below(self, subject: Subject) -> frozenset[Subject]:
        """Return everything that `subject` calls, directly or through others, itself left out."""
        found: set[Subject] = set()
        left = list(self.calls.get(subject, ()))
        while left:
            one = left.pop()
            if one not in found:
                found.add(one)
                left.extend(self.calls.get(one, ()))
        found.discard(subject)
        return frozenset(found)

    def sick_node(self, subject: Subject) -> str:
        """Name the sick node that explains why pods of a workload are not ready.

        Empty where any of them is elsewhere: then something else is wrong as well.
        """
        unready = self.unready.get(subject, {})
        if not unready or any(node not in self.sick_nodes for node in unready):
            return ""
        return max(sorted(unready), key=lambda node: unready[node])

    def has_own_trouble(self, subject: Subject, since: datetime) -> bool:
        """Say whether pods of a workload fail where no node explains it, or it was changed."""
        changed = self.changed_at.get(subject)
        if changed is not None and changed >= since:
            return True
        return any(node not in self.sick_nodes for node in self.unready.get(subject, {}))

    def share_unready(self, subject: Subject) -> tuple[int, int]:
        """Return how many of a workload's pods are not ready, and how many it has."""
        return sum(self.unready.get(subject, {}).values()), self.pods.get(subject, 0)


_RUN_NO_PODS: Final = frozenset(
    {Kind.NODE, Kind.POD, Kind.SERVICE, Kind.AUTOSCALER, Kind.VOLUME_CLAIM}
)


def is_workload(subject: Subject) -> bool:
    """Say whether a subject runs pods of its own."""
    return subject.kind not in _RUN_NO_PODS
