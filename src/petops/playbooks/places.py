"""Which workloads stand behind the names of a service graph, and the other way round. Pure.

A trace's pods say it best. Names are only compared with each other: what they are decides nothing.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from petops.domain.facts import AffectedPods, Pod
from petops.domain.objects import ServiceEndpoints
from petops.domain.subject import Kind, Subject
from petops.domain.tracing import TimeAt

_PARTS = re.compile(r"[./:@]+")


def candidates(
    affected: AffectedPods, owner: Subject, services: ServiceEndpoints | None
) -> tuple[str, ...]:
    """Return the names under which traces may know a workload: its Services', then its own."""
    known = services.services if services else ()
    in_front = [one.subject.name for one in known if one.pods and not one.shares_labels]
    subject = affected.subject
    own = [subject.name] if subject.kind is not Kind.NODE else []
    first = own if subject.kind is Kind.SERVICE else []
    return tuple(dict.fromkeys((*first, *in_front, owner.name, *own)))


def in_graph(services: Iterable[str], names: Iterable[str], namespace: str) -> str:
    """Return the graph's service of one of these names, plain or with the namespace; or nothing."""
    known = tuple(services)
    for name in names:
        if name in known:
            return name
    for name in names:
        for one in known:
            parts = [part for part in _PARTS.split(one) if part]
            if parts and (parts[0] == name or parts[:2] == [namespace, name]):
                return one
    return ""


@dataclass(frozen=True, kw_only=True)
class Places:
    """The owners behind each service, and their pods."""

    owners: Mapping[str, tuple[Subject, ...]]
    pods: Mapping[Subject, tuple[Pod, ...]]

    def worst(self, service: str, times: Iterable[TimeAt]) -> Subject | None:
        """Return the owner behind a service whose pods take most time of their own a request.

        Of those that no trace tells of the one with most pods; None where none is known.
        """
        owners = self.owners.get(service, ())
        if not owners:
            return None
        own: dict[str, float] = {}
        for one in times:
            if one.service == service and one.pod:
                own.setdefault(one.pod, one.own_seconds)

        def badness(owner: Subject) -> tuple[float, int, str]:
            known = [own[pod.name] for pod in self.pods[owner] if pod.name in own]
            return fmean(known) if known else -1.0, len(self.pods[owner]), str(owner)

        return max(owners, key=badness)

    def scopes(self, most: int) -> list[tuple[str, tuple[str, ...]]]:
        """Return the pods to read, by namespace; of too many some of each owner."""
        wanted = [owner for owners in self.owners.values() for owner in owners]
        each = max(1, most // max(len(wanted), 1))
        found: dict[str, list[str]] = defaultdict(list)
        for owner in dict.fromkeys(wanted):
            found[owner.namespace] += [pod.name for pod in self.pods[owner][:each]]
        return [(space, tuple(sorted(set(names)))) for space, names in sorted(found.items())]

    def service_of(self, namespace: str) -> Callable[[str], str]:
        """Return what tells the service behind which a pod of this namespace stands."""
        services = {
            pod.name: service
            for service, owners in self.owners.items()
            for owner in owners
            if owner.namespace == namespace
            for pod in self.pods[owner]
        }
        return lambda pod: services.get(pod, "")


def mapped(services: Sequence[str], times: Iterable[TimeAt], pods: Iterable[Pod]) -> Places:
    """Find the owners of the pods that traces name; of other services those of the same name."""
    by_owner: dict[Subject, list[Pod]] = defaultdict(list)
    owner_of: dict[str, Subject] = {}
    for pod in pods:
        by_owner[pod.owner].append(pod)
        owner_of[pod.name] = pod.owner
    found: dict[str, dict[Subject, None]] = {one: {} for one in services}
    for time in times:
        owner = owner_of.get(time.pod)
        if owner is not None and time.service in found:
            found[time.service][owner] = None
    taken = {owner for owners in found.values() for owner in owners}
    for owner in by_owner:
        if owner not in taken:
            name = in_graph(services, (owner.name,), owner.namespace)
            if name:
                found[name][owner] = None
    return Places(
        owners={name: tuple(owners) for name, owners in found.items() if owners},
        pods={
            owner: tuple(sorted(many, key=lambda pod: pod.name)) for owner, many in by_owner.items()
        },
    )
