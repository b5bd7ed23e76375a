"""Proposes changes, checks them against the world as it is, and makes the approved one, once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

from petops.domain import events as ev
from petops.domain.change import (
    Act,
    Advice,
    DryRun,
    Proposal,
    digest,
    inverse,
)
from petops.domain.diagnosis import Finding
from petops.domain.evidence import Window
from petops.domain.facts import Rollouts
from petops.domain.incident import Board, Incident
from petops.domain.policy import Circumstances, Refusal
from petops.domain.subject import Kind
from petops.engine.investigation import Inquiry
from petops.engine.surroundings import Surroundings, case_of
from petops.errors import OutcomeUnknownError, PetopsError, SourceError
from petops.playbooks.base import Evidence, Judgement
from petops.ports import Headroom, WorkloadState
from petops.remedies.base import Remedy, Situation, checked

_HOUR = timedelta(hours=1)
_LOOK_BACK = timedelta(minutes=10)
_REFUSALS_AT_MOST = 3
_SETTLE_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)
_NO_DRY_RUN = DryRun(diff=(), by_server=False)


class Repair:
    """Everything between a diagnosis and a change that was made."""

    def __init__(self, given: Surroundings) -> None:
        self._given = given

    async def proposed(self, incident: Incident, board: Board) -> ev.Event:
        """Return the changes on offer for the incident's diagnosis, or why there are none."""
        now = self._given.clock.now()
        diagnosis = incident.diagnosis
        cause = diagnosis.cause if diagnosis else None
        if cause is None or cause.subject is None:
            because = diagnosis.because if diagnosis else "no diagnosis"
            return ev.NoCauseFound(at=now, because=because)
        try:
            situation, headroom = await self._situation(cause)
        except SourceError as exc:
            because = f"{cause.subject} could not be read: {exc.message}"
            return ev.NothingToPropose(at=now, because=because)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(
                    self._offer(incident, board, self._given.remedies[name], situation, headroom)
                )
                for name in cause.remedies
            ]
        return _offered([task.result() for task in tasks], now)

    async def objections(self, incident: Incident, proposal: Proposal, board: Board) -> str:
        """Run the guards of a proposal again; return what they object, empty where nothing."""
        change = proposal.change
        if isinstance(change, Advice) or incident.diagnosis is None:
            return "there is nothing to do"
        cause = incident.diagnosis.cause
        if cause is None:
            return "the cause is not known"
        try:
            situation, headroom = await self._situation(cause)
            judgement = await self.judged(incident, cause, None)
            dry_run = await self._given.actuator.dry_run(change)
            changed = await self._given.actuator.changed_since(change)
        except PetopsError as exc:
            return f"it could not be checked again: {exc.message}"
        now = self._circumstances(situation.workload, headroom, dry_run, changed, board)
        now = _with_symptom(now, judgement)
        remedy = self._given.remedies[proposal.remedy]
        return "; ".join(one.why for one in checked(remedy.guards, change, now) if not one.ok)

    async def judged(self, incident: Incident, cause: Finding, since: datetime | None) -> Judgement:
        """Ask how it stands with the symptom and its cause now."""
        evidence = await self.watched(incident, cause, since)
        mode = self._given.modes[cause.mode]
        window = incident.window or Window.before(self._given.clock.now(), _LOOK_BACK)
        return mode.judge(case_of(incident, window, cause.subject), evidence, cause, since)

    async def watched(self, incident: Incident, cause: Finding, since: datetime | None) -> Evidence:
        """Return fresh evidence of what is watched, about the cause's own object."""
        now = self._given.clock.now()
        span = _LOOK_BACK if since is None else max(_LOOK_BACK, now - since)
        inquiry = Inquiry(
            case_of(incident, Window.before(now, span), cause.subject),
            metrics=self._given.metrics,
            cluster=self._given.cluster,
            clock=self._given.clock,
        )
        return await inquiry.ask(self._given.modes[cause.mode].watch_steps)

    async def made(self, intent: ev.ActIntended) -> ev.Event:
        """Make the change for the first time, or say why it was not made."""
        try:
            await self._given.actuator.apply(intent.change, intent.act)
        except OutcomeUnknownError:
            return await self.settled(intent)
        except PetopsError as exc:
            return ev.ActFailed(at=self._given.clock.now(), act=intent.act, why=exc.message)
        return ev.RemedyApplied(at=self._given.clock.now(), act=intent.act)

    async def settled(self, intent: ev.ActIntended) -> ev.Event:
        """Find out by looking whether the change was made; make it only if it certainly was not."""
        refused = 0
        for attempt in range(len(_SETTLE_SECONDS) * 100):
            looked = False
            try:
                if await self._given.actuator.was_applied(intent.change, intent.act):
                    return ev.RemedyApplied(
                        at=self._given.clock.now(), act=intent.act, settled=True
                    )
                looked = True
                await self._given.actuator.apply(intent.change, intent.act)
            except (OutcomeUnknownError, SourceError) as exc:
                # Refused after a look that found nothing: it was certainly not made.
                refused += looked and isinstance(exc, SourceError)
                if refused >= _REFUSALS_AT_MOST:
                    return ev.ActFailed(at=self._given.clock.now(), act=intent.act, why=exc.message)
                wait = _SETTLE_SECONDS[min(attempt, len(_SETTLE_SECONDS) - 1)]
                await self._given.clock.sleep(wait)
            except PetopsError as exc:
                return ev.ActFailed(at=self._given.clock.now(), act=intent.act, why=exc.message)
            else:
                return ev.RemedyApplied(at=self._given.clock.now(), act=intent.act)
        why = "its outcome could not be found out: look at the object"
        return ev.ActFailed(at=self._given.clock.now(), act=intent.act, why=why)

    async def _situation(self, cause: Finding) -> tuple[Situation, Headroom]:
        subject = cause.subject
        if subject is None:
            raise SourceError("the diagnosis names no object")
        workload = (await self._given.cluster.workload(subject)).value
        headroom = (await self._given.cluster.headroom(subject)).value
        rollouts: Rollouts | None = None
        if subject.kind is Kind.DEPLOYMENT:
            rollouts = (await self._given.cluster.rollouts(subject)).value
        now = self._given.clock.now()
        situation = Situation(finding=cause, workload=workload, rollouts=rollouts, now=now)
        return situation, headroom

    async def _offer(
        self,
        incident: Incident,
        board: Board,
        remedy: Remedy,
        situation: Situation,
        headroom: Headroom,
    ) -> Proposal | tuple[str, str]:
        """Return one remedy's proposal, or its name and why it is withheld."""
        change = remedy.plan(situation)
        if isinstance(change, Refusal):
            return remedy.name, str(change)
        dry_run = _NO_DRY_RUN
        if not isinstance(change, Advice):
            try:
                dry_run = await self._given.actuator.dry_run(change)
            except PetopsError as exc:
                return remedy.name, f"it could not be tried out: {exc.message}"
        now = self._circumstances(situation.workload, headroom, dry_run, None, board)
        guards = checked(remedy.guards, change, now)
        objections = "; ".join(one.why for one in guards if not one.ok)
        if objections:
            return remedy.name, objections
        cause = situation.finding
        return Proposal(
            remedy=remedy.name,
            risk=remedy.risk,
            change=change,
            inverse=inverse(change),
            digest=digest(
                incident=incident.id, change=change, evidence=f"{cause.mode}: {cause.because}"
            ),
            dry_run=dry_run,
            guards=guards,
            watched=self._given.modes[cause.mode].watched,
            expires_at=now.now + self._given.rules.approval_expires,
        )

    def _circumstances(
        self,
        workload: WorkloadState,
        headroom: Headroom,
        dry_run: DryRun,
        changed: str | None,
        board: Board,
    ) -> Circumstances:
        now = self._given.clock.now()
        return Circumstances(
            now=now,
            protected_namespaces=self._given.rules.protected_namespaces,
            changed_since=changed,
            dry_run_refused=dry_run.refused,
            desired_replicas=workload.desired_replicas,
            ready_replicas=workload.ready_replicas,
            unavailable_at_most=workload.unavailable_at_most,
            disruptions_allowed=headroom.disruptions_allowed,
            node_headroom_bytes=headroom.node_bytes,
            quota_headroom_bytes=headroom.quota_bytes,
            acts_last_hour=_acts_since(board, now - _HOUR),
            symptom_present=None,
            managed_by=workload.managed_by,
        )


def intended(incident: Incident, act: str, now: datetime) -> ev.ActIntended | None:
    """Return the intent that the approval asks for; None where there is nothing to act on."""
    chosen = incident.chosen
    if chosen is None or isinstance(chosen.change, Advice):
        return None
    change: Act = chosen.change
    return ev.ActIntended(at=now, act=act, digest=chosen.digest, change=change)


def _offered(results: list[Proposal | tuple[str, str]], now: datetime) -> ev.Event:
    proposals = tuple(one for one in results if isinstance(one, Proposal))
    withheld = tuple(one for one in results if not isinstance(one, Proposal))
    if any(not isinstance(one.change, Advice) for one in proposals):
        return ev.RemediesProposed(at=now, proposals=proposals, withheld=withheld)
    because = "; ".join(f"{name}: {why}" for name, why in withheld) or "there is only advice"
    return ev.NothingToPropose(at=now, because=because, proposals=proposals, withheld=withheld)


def _with_symptom(now: Circumstances, judgement: Judgement) -> Circumstances:
    gone = judgement.symptom_gone
    return replace(now, symptom_present=None if gone is None else not gone)


def _acts_since(board: Board, since: datetime) -> int:
    return sum(
        1
        for incident in board.incidents.values()
        if incident.applied is not None and incident.applied.at >= since
    )
