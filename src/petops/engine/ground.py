"""Reads what remedies plan on and guards look at; what cannot be had is None, with its why."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from petops.domain.change import Act, Change, DrainNode, DryRun, SetCpuLimit, SetMemoryLimit
from petops.domain.circumstances import Circumstances
from petops.domain.diagnosis import Finding
from petops.domain.facts import Pod, Rollouts
from petops.domain.incident import Board, Incident
from petops.domain.objects import NodeMemory
from petops.domain.phases import Phase
from petops.domain.policy import Identity
from petops.domain.subject import Kind, Subject
from petops.domain.terrain import Demand, NodeSite, Room, permissions
from petops.engine.surroundings import Surroundings
from petops.errors import PetopsError, SourceError
from petops.ports import Headroom
from petops.remedies.base import Situation
from petops.remedies.limits import demand_of, has_request

_HOUR = timedelta(hours=1)
_NO_HEADROOM = Headroom(disruptions_allowed=None, node_bytes=None, quota_bytes=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surveyed:
    """What remedies plan on, and what the cluster leaves around it."""

    situation: Situation
    headroom: Headroom


class Ground:
    """Everything that is read between a diagnosis and a change."""

    def __init__(self, given: Surroundings) -> None:
        self._given = given

    async def surveyed(self, incident: Incident, cause: Finding) -> Surveyed:
        """Return what remedies plan on; raise SourceError where the object cannot be read."""
        subject = cause.target
        if subject is None:
            raise SourceError("the diagnosis names no object")
        try:
            workload = (await self._given.cluster.workload(subject)).value
        except SourceError:
            # A culprit in a namespace that may not be read leaves what can be done at its node.
            if cause.culprit is None or cause.subject is None:
                raise
            subject = cause.subject
            workload = (await self._given.cluster.workload(subject)).value
        about = cause.subject or subject
        async with asyncio.TaskGroup() as group:
            headroom = group.create_task(self._headroom(subject))
            rollouts = group.create_task(self._rollouts(subject))
            room = group.create_task(self._room(subject))
            node = group.create_task(self._node(about))
            pods = group.create_task(self._pods(subject))
        site, why = node.result()
        known = room.result()
        situation = Situation(
            finding=cause,
            workload=workload,
            rollouts=rollouts.result(),
            now=self._given.clock.now(),
            rules=self._given.rules,
            room=replace(known, why={**known.why, **why}),
            node=site,
            pods=pods.result(),
            memory=_memory(incident),
        )
        return Surveyed(situation=situation, headroom=headroom.result())

    async def around(
        self,
        change: Act,
        found: Surveyed,
        board: Board,
        *,
        dry_run: DryRun,
        changed: str | None = None,
        symptom: bool | None = None,
        approver: Identity | None = None,
        takes_back: bool = False,
    ) -> Circumstances:
        """Return what guards look at for this change."""
        situation, now = found.situation, self._given.clock.now()
        is_workload = change.subject == situation.workload.subject
        workload = situation.workload if is_workload else None
        on_workload, in_cluster = acts_since(board, now - _HOUR, change.subject)
        lacks, why = await self._lacks(change, None)
        approver_lacks, approver_why = await self._lacks(change, approver)
        whys = {**situation.room.why, "permission": why, "approver": approver_why}
        return Circumstances(
            now=now,
            rules=self._given.rules,
            changed_since=changed,
            dry_run_refused=dry_run.refused,
            desired_replicas=workload.desired_replicas if workload else 0,
            ready_replicas=workload.ready_replicas if workload else 0,
            unavailable_at_most=workload.unavailable_at_most if workload else 0,
            disruptions_allowed=found.headroom.disruptions_allowed,
            node_headroom_bytes=found.headroom.node_bytes,
            room=replace(situation.room, why={key: one for key, one in whys.items() if one}),
            demand=_demand(situation),
            demand_grows=_grows(change, situation),
            node=situation.node,
            managed_by=workload.managed_by if workload else "",
            lacks=lacks,
            approver=approver,
            approver_lacks=approver_lacks,
            acts_on_workload=on_workload,
            acts_in_cluster=in_cluster,
            draining=_draining(board, change.subject),
            symptom_present=symptom,
            takes_back=takes_back,
        )

    async def _lacks(self, change: Act, by: Identity | None) -> tuple[str | None, str]:
        """Return what petops, or a person, is not allowed of the change; None with why unknown."""
        account = self._given.rules.account_of(by) if by is not None else None
        try:
            for one in permissions(change):
                if not await self._given.site.may(one, account):
                    return str(one), ""
        except PetopsError as exc:
            return None, exc.message
        return "", ""

    async def _headroom(self, subject: Subject) -> Headroom:
        try:
            return (await self._given.cluster.headroom(subject)).value
        except SourceError:
            return _NO_HEADROOM

    async def _rollouts(self, subject: Subject) -> Rollouts | None:
        if subject.kind is not Kind.DEPLOYMENT:
            return None
        try:
            return (await self._given.cluster.rollouts(subject)).value
        except SourceError:
            return None

    async def _room(self, subject: Subject) -> Room:
        try:
            return await self._given.site.room(subject)
        except SourceError as exc:
            parts = ("nodes", "quota", "limit ranges", "autoscaler")
            return Room(why=dict.fromkeys(parts, exc.message))

    async def _node(self, subject: Subject) -> tuple[NodeSite | None, dict[str, str]]:
        if subject.kind is not Kind.NODE:
            return None, {}
        try:
            return await self._given.site.node(subject), {}
        except SourceError as exc:
            return None, {"node": exc.message}

    async def _pods(self, subject: Subject) -> tuple[Pod, ...]:
        if subject.kind is Kind.NODE:
            return ()
        try:
            return (await self._given.cluster.pods(subject)).value
        except SourceError:
            return ()


def acts_since(board: Board, since: datetime, subject: Subject) -> tuple[int, int]:
    """Return how many acts were begun since then: on this object, and in all."""
    intents = [
        one for incident in board.incidents.values() for one in incident.intents if one.at >= since
    ]
    return sum(one.change.subject == subject for one in intents), len(intents)


def _demand(situation: Situation) -> Demand | None:
    if situation.workload.subject.kind is Kind.NODE:
        return None
    return demand_of(situation.workload.template)


def _grows(change: Change, situation: Situation) -> bool:
    """Say whether the container has no request of its own, so that its limit is its request."""
    if not isinstance(change, SetMemoryLimit | SetCpuLimit):
        return False
    resource = "memory" if isinstance(change, SetMemoryLimit) else "cpu"
    return not has_request(situation.workload.template, change.container, resource)


def _draining(board: Board, subject: Subject) -> str:
    """Return another node that is being drained now."""
    for incident in board.incidents.values():
        intent = incident.intent
        if incident.phase is Phase.REPAIRING and intent is not None:
            other = intent.change
            if isinstance(other, DrainNode) and other.subject != subject:
                return other.subject.name
    return ""


def _memory(incident: Incident) -> NodeMemory | None:
    """Return the memory of the nodes under the cause: of two rounds, the one that found any."""
    found = [one.fact for one in incident.answers if isinstance(one.fact, NodeMemory)]
    return max(found, key=lambda one: len(one.pods), default=None)
