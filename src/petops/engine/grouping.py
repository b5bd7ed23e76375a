"""Which object causes what an alarm reports, by what is known at intake. Pure.

Three ties count: the same workload, a sick node on which all its failing pods are, and a call path
down to the one thing that fails. Where two causes would fit, or the workload shows trouble of its
own, nothing is tied: an incident too many is investigated, a cause too few is missed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from petops.domain.alarm import Alarm, Category
from petops.domain.incident import Incident
from petops.domain.phases import NOTHING_DONE, OVER
from petops.domain.subject import Kind, Subject
from petops.domain.topology import Topology, is_workload

TRAVELS: Final = frozenset({Category.LATENCY, Category.ERRORS})
"""Symptoms that a caller has because of what it calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """How alarms are grouped here. An incident and an alarm belong together within `window`."""

    enabled: bool = True
    window: timedelta = timedelta(minutes=15)
    flaps_after: int = 3
    flaps_within: timedelta = timedelta(hours=1)
    quiet: timedelta = timedelta(minutes=10)
    storm_after: int = 5
    storm_within: timedelta = timedelta(seconds=10)
    hold: timedelta = timedelta(seconds=4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tie:
    """The object that is thought to cause what an alarm reports, and by what tie."""

    origin: Subject
    because: str


def tied(
    alarm: Alarm,
    category: Category,
    topology: Topology,
    failing: Collection[Subject],
    grouping: Grouping,
) -> Tie | None:
    """Return what causes the alarm; None is that nothing says so, or too much.

    `failing` are the objects that other alarms and incidents of this time are about.
    """
    if alarm.subject is None:
        return None
    subject = topology.workload(alarm.subject)
    if subject.kind is Kind.NODE:
        return None
    node = topology.sick_node(subject)
    if node:
        return _on(node, subject, topology)
    if category not in TRAVELS or topology.has_own_trouble(
        subject, alarm.started_at - grouping.window
    ):
        return None
    return _below(subject, topology, failing)


def _on(node: str, subject: Subject, topology: Topology) -> Tie:
    why = topology.sick_nodes[node]
    origin = Subject(cluster=subject.cluster, kind=Kind.NODE, name=node)
    because = f"the pods of {subject} that are not ready are on {origin}, and {why}"
    return Tie(origin=origin, because=because)


def _below(subject: Subject, topology: Topology, failing: Collection[Subject]) -> Tie | None:
    """Return the one thing at the end of all call paths that fails, if it is one."""
    below = topology.below(subject)
    bad = [one for one in below if one in failing or topology.unready.get(one)]
    ends: dict[Subject, Subject] = {}
    for one in bad:
        deeper = topology.below(one)
        if any(other in deeper and one not in topology.below(other) for other in bad):
            continue
        node = topology.sick_node(one)
        end = _on(node, one, topology).origin if node else one
        ends.setdefault(end, one)
    if len(ends) != 1:
        return None
    ((origin, called),) = ends.items()
    on = "" if origin == called else f", on {origin}"
    return Tie(origin=origin, because=f"{subject} calls {called}{on}, which fails")


def roots(incident: Incident, topology: Topology) -> frozenset[Subject]:
    """Return the objects that an incident is about: what is thought or found to be its cause."""
    cause = incident.diagnosis.cause if incident.diagnosis else None
    own = incident.origin or incident.alarm.subject
    found = (own, cause.subject if cause else None, cause.target if cause else None)
    return frozenset(topology.workload(one) for one in found if one is not None)


def recent(incidents: Iterable[Incident], at: datetime, grouping: Grouping) -> Iterator[Incident]:
    """Yield the incidents that an alarm of this time may belong to, the latest first."""
    for one in incidents:
        near = abs(one.alarm.started_at - at) <= grouping.window
        if one.phase not in OVER and (near or abs(one.cycle_began_at - at) <= grouping.window):
            yield one


def belongs_to(
    alarm: Alarm,
    category: Category,
    incidents: Iterable[Incident],
    topology: Topology,
    grouping: Grouping,
) -> tuple[Incident | None, Tie | None]:
    """Return the incident that explains an alarm, and the tie; the tie alone where none is open."""
    near = list(recent(incidents, alarm.started_at, grouping))
    about = {one.id: roots(one, topology) for one in near if not is_predicted(one)}
    failing = {root for found in about.values() for root in found}
    tie = tied(alarm, category, topology, failing, grouping)
    if tie is None:
        return None, None
    return next((one for one in near if tie.origin in about.get(one.id, ())), None), tie


def is_predicted(incident: Incident) -> bool:
    """Say whether nothing fails yet: such an incident explains nothing."""
    return incident.alarm.is_forecast


def merger(
    incident: Incident, incidents: Iterable[Incident], topology: Topology, grouping: Grouping
) -> tuple[Incident, str] | None:
    """Return the incident in which this one goes on, and why; None where it stands alone."""
    if incident.phase not in NOTHING_DONE or incident.approvals or not grouping.enabled:
        return None
    others = [
        one
        for one in recent(incidents, incident.alarm.started_at, grouping)
        if one.id != incident.id
        and one.id not in incident.apart_from
        and incident.id not in one.apart_from
    ]
    if is_predicted(incident):
        return _come_true(incident, others, topology)
    cause = incident.diagnosis.cause if incident.diagnosis else None
    if cause is not None:
        return _with_the_cause(incident, others, topology)
    found, tie = belongs_to(
        incident.alarm, incident.assessment.category, others, topology, grouping
    )
    return (found, tie.because) if found is not None and tie is not None else None


def _come_true(
    incident: Incident, others: Iterable[Incident], topology: Topology
) -> tuple[Incident, str] | None:
    """Return the incident of what was predicted, now that it happens."""
    own = roots(incident, topology)
    for one in others:
        if not is_predicted(one) and own & roots(one, topology):
            return one, f"{one.id} is about the same object, and no longer a prediction"
    return None


def _with_the_cause(
    incident: Incident, others: Iterable[Incident], topology: Topology
) -> tuple[Incident, str] | None:
    """Return the incident about what was found to be the cause of this one.

    Of two with one cause the later goes on in the earlier, or in the one that the cause's own
    object raised.
    """
    cause = incident.diagnosis.cause if incident.diagnosis else None
    target = cause.target if cause else None
    if cause is None or target is None:
        return None
    root = topology.workload(target)
    own = incident.origin or incident.alarm.subject
    raised_by_it = own is not None and topology.workload(own) == root
    for one in others:
        its = one.diagnosis.cause if one.diagnosis else None
        about = one.origin or one.alarm.subject
        if is_predicted(one):
            continue
        if not raised_by_it and about is not None and topology.workload(about) == root:
            return one, f"its cause is {target}, which {one.id} is about"
        same = its is not None and its.mode == cause.mode and its.target == target
        if same and not raised_by_it and one.id < incident.id:
            return one, f"{one.id} has the same cause: {cause.mode} of {target}"
    return None


def is_storm(incidents: Iterable[Incident], now: datetime, grouping: Grouping) -> bool:
    """Say whether many incidents were opened just now. `incidents` has the latest first."""
    for found, one in enumerate(incidents, start=1):
        if now - one.opened_at > grouping.storm_within:
            return False
        if found >= grouping.storm_after:
            return True
    return False


def may_travel(
    alarm: Alarm, category: Category, topology: Topology, waiting: Collection[Subject]
) -> bool:
    """Say whether a cause may yet show below the alarm's object.

    Not where others wait for something that it is part of: then it is what they wait for.
    """
    if alarm.subject is None or category not in TRAVELS:
        return False
    subject = topology.workload(alarm.subject)
    if not is_workload(subject) or not topology.calls.get(subject):
        return False
    return not any(subject in topology.calls.get(one, ()) for one in waiting if one != subject)
