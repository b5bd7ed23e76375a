"""Proposes changes, checks them against the world as it is, and offers what takes them back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from petops.domain import events as ev
from petops.domain.change import (
    Act,
    Advice,
    Change,
    DryRun,
    GuardResult,
    Proposal,
    Risk,
    Uncordon,
    digest,
    inverse,
)
from petops.domain.circumstances import Circumstances
from petops.domain.diagnosis import Finding
from petops.domain.evidence import Window
from petops.domain.incident import Board, Incident
from petops.domain.policy import Identity, Mode, Refusal
from petops.engine import fence
from petops.engine.decisions import Objections
from petops.engine.ground import Ground, Surveyed
from petops.engine.investigation import Inquiry
from petops.engine.surroundings import Surroundings, case_of
from petops.errors import NotThereError, PetopsError, SourceError
from petops.playbooks.base import Judgement
from petops.remedies.base import Guard, Remedy, Weight, checked, objections
from petops.remedies.guards import ABOUT_THE_PERSON, ALWAYS

TAKE_BACK = "take-back"
_LOOK_BACK = timedelta(minutes=10)
_FRESH = timedelta(minutes=2)
_NO_DRY_RUN = DryRun(diff=(), by_server=False)


class Repair:
    """Everything between a diagnosis and an approval."""

    def __init__(self, given: Surroundings) -> None:
        self._given = given
        self._ground = Ground(given)

    async def proposed(self, incident: Incident, board: Board) -> Sequence[ev.Event]:
        """Return the changes on offer for the incident's diagnosis, or why there are none."""
        now = self._given.clock.now()
        diagnosis = incident.diagnosis
        cause = diagnosis.cause if diagnosis else None
        if cause is None or cause.target is None:
            because = diagnosis.because if diagnosis else "no diagnosis"
            return (ev.NoCauseFound(at=now, because=because),)
        try:
            found = await self._ground.surveyed(incident, cause)
        except SourceError as exc:
            because = f"{cause.target} could not be read: {exc.message}"
            return (ev.NothingToPropose(at=now, because=because),)
        symptom = await self._symptom(incident, cause, now)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(
                    self._offer(incident, board, self._given.remedy(name), found, symptom)
                )
                for name in cause.remedies
            ]
        event = _offered([task.result() for task in tasks], now)
        if self._given.rules.mode is Mode.OBSERVE and isinstance(event, ev.RemediesProposed):
            return _observed(event)
        return (event,)

    async def objections(
        self, incident: Incident, proposal: Proposal, board: Board, by: Identity | None
    ) -> Objections:
        """Run the guards of a proposal again; return what they object."""
        change = proposal.change
        if isinstance(change, Advice) or incident.diagnosis is None:
            return Objections(why="there is nothing to do")
        cause = incident.diagnosis.cause
        if cause is None:
            return Objections(why="the cause is not known")
        takes_back = proposal.remedy == TAKE_BACK
        try:
            async with asyncio.TaskGroup() as group:
                surveyed = group.create_task(self._ground.surveyed(incident, cause))
                judged = group.create_task(self.judged(incident, cause, None))
                tried = group.create_task(self._given.actuator.dry_run(change))
                moved = group.create_task(self._given.actuator.changed_since(change))
        except ExceptionGroup as failed:
            known, bugs = failed.split(PetopsError)
            if bugs or known is None:
                raise
            why = f"it could not be checked again: {_first(known)}"
            return Objections(why=why, voids=known.subgroup(NotThereError) is not None)
        gone = judged.result().symptom_gone
        now = await self._ground.around(
            change,
            surveyed.result(),
            board,
            dry_run=tried.result(),
            changed=moved.result(),
            symptom=None if gone is None else not gone,
            approver=by,
            takes_back=takes_back,
        )
        guards = self._guards(proposal.remedy)
        against = objections(guards, checked(guards, change, now), deciding=True)
        # What is marked on the offer, or about who asks, passes: it stays as it is for others.
        passing = {one.name for one in guards if one.weight is Weight.MARKS} | {ABOUT_THE_PERSON}
        return Objections(
            why="; ".join(one.why for one in against),
            voids=any(one.name not in passing for one in against),
        )

    async def judged(self, incident: Incident, cause: Finding, since: datetime | None) -> Judgement:
        """Ask how it stands with the symptom and its cause now."""
        now, mode = self._given.clock.now(), self._given.mode(cause.mode)
        # After a change only what was measured since it counts: a rate over both would lie.
        window = Window.before(now, _LOOK_BACK) if since is None else Window(start=since, end=now)
        case = case_of(incident, window, cause.watched)
        inquiry = Inquiry(case, self._given.ports, clock=self._given.clock)
        return fence.judged(mode, case, await inquiry.ask(mode.watch_steps), cause, since)

    async def taken_back(
        self, incident: Incident, board: Board, because: str
    ) -> ev.InverseOffered | None:
        """Return the offer to take back what was changed; None where that cannot be offered."""
        intent, chosen = incident.intent, incident.chosen
        cause = incident.diagnosis.cause if incident.diagnosis else None
        if intent is None or cause is None or incident.takes_back is not None:
            return None
        back = inverse(intent.change)
        if back is None:
            return None
        try:
            found = await self._ground.surveyed(incident, cause)
            dry_run = await self._given.actuator.dry_run(back)
        except PetopsError:
            return None
        now = await self._ground.around(back, found, board, dry_run=dry_run, takes_back=True)
        guards = checked(ALWAYS, back, now)
        if objections(ALWAYS, guards, deciding=False):
            return None
        risk = chosen.risk if chosen else Risk.YELLOW
        proposal = self._proposal(
            incident,
            cause,
            TAKE_BACK,
            back,
            risk=Risk.GREEN if isinstance(back, Uncordon) else risk,
            dry_run=dry_run,
            guards=guards,
            expires_at=now.now + self._given.rules.inverse_expires,
        )
        return ev.InverseOffered(at=now.now, because=because, proposals=(proposal,))

    async def _symptom(self, incident: Incident, cause: Finding, now: datetime) -> bool | None:
        """Say whether the symptom is there: a fresh diagnosis says so, an older one is checked."""
        if incident.diagnosed_at is not None and now - incident.diagnosed_at < _FRESH:
            return True
        gone = (await self.judged(incident, cause, None)).symptom_gone
        return None if gone is None else not gone

    def _guards(self, remedy: str) -> tuple[Guard, ...]:
        return ALWAYS if remedy == TAKE_BACK else self._given.remedy(remedy).guards

    async def _offer(
        self,
        incident: Incident,
        board: Board,
        remedy: Remedy,
        found: Surveyed,
        symptom: bool | None,
    ) -> Proposal | tuple[str, str]:
        """Return one remedy's proposal, or its name and why it is withheld."""
        change = remedy.plan(found.situation)
        if isinstance(change, Refusal):
            return remedy.name, str(change)
        dry_run = _NO_DRY_RUN
        guards: tuple[GuardResult, ...] = ()
        if not isinstance(change, Advice):
            try:
                dry_run = await self._given.actuator.dry_run(change)
            except PetopsError as exc:
                lift = f" ({exc.hint})" if exc.hint else ""
                return remedy.name, f"it could not be tried out: {exc.message}{lift}"
            now = await self._ground.around(change, found, board, dry_run=dry_run, symptom=symptom)
            guards = checked(remedy.guards, change, now)
            against = objections(remedy.guards, guards, deciding=False)
            owned = _for_repository(change, now, dry_run, against)
            if owned is None and against:
                return remedy.name, "; ".join(one.why for one in against)
            change = owned or change
        cause = found.situation.finding
        return self._proposal(
            incident,
            cause,
            remedy.name,
            change,
            risk=remedy.risk_for(cause.mode),
            dry_run=dry_run,
            guards=guards,
            expires_at=self._given.clock.now() + self._given.rules.approval_expires,
        )

    def _proposal(
        self,
        incident: Incident,
        cause: Finding,
        remedy: str,
        change: Change,
        *,
        risk: Risk,
        dry_run: DryRun,
        guards: tuple[GuardResult, ...],
        expires_at: datetime,
    ) -> Proposal:
        evidence = f"{cause.mode}: {cause.because}"
        return Proposal(
            remedy=remedy,
            risk=risk,
            change=change,
            inverse=inverse(change),
            digest=digest(incident=incident.id, change=change, evidence=evidence),
            dry_run=dry_run,
            guards=guards,
            watched=self._given.mode(cause.mode).watched,
            expires_at=expires_at,
        )


def intended(incident: Incident, act: str, now: datetime, token: int) -> ev.ActIntended | None:
    """Return the intent that the approval asks for; None where there is nothing to act on."""
    chosen = incident.chosen
    if chosen is None or isinstance(chosen.change, Advice):
        return None
    change: Act = chosen.change
    return ev.ActIntended(at=now, act=act, digest=chosen.digest, change=change, token=token)


def _for_repository(
    change: Act, now: Circumstances, dry_run: DryRun, against: Sequence[GuardResult]
) -> Advice | None:
    """Return the change as a patch for its repository, where that is all that stands against it."""
    if {one.name for one in against} != {"not-owned-by-gitops"}:
        return None
    text = (
        f"{now.managed_by} owns {change.subject} and would take a change back: "
        f"make it in its repository: {change.summary}"
    )
    return Advice(subject=change.subject, text=text, handover="\n".join(dry_run.diff))


def _offered(results: list[Proposal | tuple[str, str]], now: datetime) -> ev.Event:
    proposals = tuple(one for one in results if isinstance(one, Proposal))
    withheld = tuple(one for one in results if not isinstance(one, Proposal))
    if any(not isinstance(one.change, Advice) for one in proposals):
        return ev.RemediesProposed(at=now, proposals=proposals, withheld=withheld)
    because = "; ".join(f"{name}: {why}" for name, why in withheld) or "there is only advice"
    return ev.NothingToPropose(at=now, because=because, proposals=proposals, withheld=withheld)


def _observed(event: ev.RemediesProposed) -> Sequence[ev.Event]:
    """Record what would have been on offer, and hand over: petops only observes."""
    because = "petops only observes (settings: repair.mode)"
    changes = [one for one in event.proposals if not isinstance(one.change, Advice)]
    would = ev.WouldHaveActed(
        at=event.at,
        digests=tuple(one.digest for one in changes),
        summaries=tuple(f"{one.remedy} ({one.risk}): {one.change.summary}" for one in changes),
        because=because,
    )
    handed = ev.NothingToPropose(
        at=event.at, because=because, proposals=event.proposals, withheld=event.withheld
    )
    return (would, handed)


def _first(failed: BaseExceptionGroup[PetopsError]) -> str:
    first = failed.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first.message
