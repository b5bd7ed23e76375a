"""Drives an incident from its opening to its diagnosis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from petops.domain import events as ev
from petops.domain.events import Entry
from petops.domain.evidence import Answer, Unknown, Window
from petops.domain.incident import Incident
from petops.domain.phases import Phase
from petops.domain.runbook import steps_wanted
from petops.engine.asking import investigated
from petops.engine.investigation import steps_of
from petops.engine.record import Decision, Record
from petops.engine.rounds import Round, first_round
from petops.engine.surroundings import Surroundings, case_of
from petops.playbooks.base import FailureMode, Step


class Investigating:
    """One investigation after another; each goes on where a restart left it."""

    def __init__(self, given: Surroundings, record: Record) -> None:
        self._given = given
        self._record = record

    async def run(self, incident: Incident) -> tuple[Entry, ...]:
        """Ask what is not answered yet, weigh it, and return the diagnosis as it was journaled."""
        given, now = self._given, self._given.clock.now()
        window = incident.window or Window.before(now, given.rules.window)
        case = case_of(incident, window)
        if incident.phase is Phase.OPEN:
            first = first_round(case, given.modes.values(), self._further_steps)
            started = ev.InvestigationStarted(
                at=now,
                modes=tuple(mode.name for mode in first.modes),
                steps=first.named,
                window=window,
            )
            await self._append(incident.id, started)

        async def report(result: Answer | Unknown) -> None:
            at = given.clock.now()
            event = (
                ev.StepAnswered(at=at, answer=result)
                if isinstance(result, Answer)
                else ev.StepUnanswered(at=at, unknown=result)
            )
            await self._append(incident.id, event)

        known_places = {one.subject for one in incident.widened}

        async def widen(another: Round, because: str) -> None:
            about = another.case.subject
            if about is not None and about not in known_places:
                event = ev.InvestigationWidened(
                    at=given.clock.now(), subject=about, because=because, steps=another.named
                )
                await self._append(incident.id, event)

        diagnosis = await investigated(
            case,
            given.modes.values(),
            given.metered(),
            clock=given.clock,
            further=self._further_steps,
            known=incident.answers,
            unknown=incident.unknowns,
            report=report,
            widen=widen,
        )
        at = self._given.clock.now()
        cause = diagnosis.cause
        pages = [one for one in self._given.runbooks if cause is not None and one.is_for(cause)]
        found: tuple[ev.Event, ...] = (
            ev.Diagnosed(at=at, diagnosis=diagnosis),
            *(ev.RunbookFound(at=at, runbook=one) for one in pages),
        )
        return await self._record.append(lambda _: Decision(incident=incident.id, events=found))

    def _further_steps(self, modes: Sequence[FailureMode]) -> list[Step[Any]]:
        """Return the steps that runbooks of these failure modes want asked besides."""
        wanted = steps_wanted(self._given.runbooks, (mode.name for mode in modes))
        return [one for one in steps_of(self._given.modes.values()) if one.name in wanted]

    async def _append(self, incident: str, event: ev.Event) -> tuple[Entry, ...]:
        return await self._record.append(lambda _: Decision(incident=incident, events=(event,)))
