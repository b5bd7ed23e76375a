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
from petops.engine.investigation import Inquiry, concluded, steps_of, suspected
from petops.engine.record import Decision, Record
from petops.engine.surroundings import Surroundings, case_of
from petops.playbooks.base import Evidence, FailureMode, Step


class Investigating:
    """One investigation after another; each goes on where a restart left it."""

    def __init__(self, given: Surroundings, record: Record) -> None:
        self._given = given
        self._record = record

    async def run(self, incident: Incident) -> tuple[Entry, ...]:
        """Ask what is not answered yet, weigh it, and return the diagnosis as it was journaled."""
        now = self._given.clock.now()
        window = incident.window or Window.before(now, self._given.rules.window)
        case = case_of(incident, window)
        modes = suspected(case, self._given.modes.values())
        steps = steps_of(modes, self._further_steps(modes))
        if incident.phase is Phase.OPEN:
            started = ev.InvestigationStarted(
                at=now,
                modes=tuple(mode.name for mode in modes),
                steps=tuple((one.name, one.question) for one in steps),
                window=window,
            )
            await self._append(incident.id, started)

        async def report(result: Answer | Unknown) -> None:
            at = self._given.clock.now()
            event = (
                ev.StepAnswered(at=at, answer=result)
                if isinstance(result, Answer)
                else ev.StepUnanswered(at=at, unknown=result)
            )
            await self._append(incident.id, event)

        inquiry = Inquiry(
            case,
            metrics=self._given.metrics,
            cluster=self._given.cluster,
            own=self._given.own_sources,
            clock=self._given.clock,
            known=incident.answers,
            report=report,
        )
        done = {one.step for one in incident.unknowns}
        await inquiry.ask(one for one in steps if one.name not in done)
        now_known = self._record.board.incidents[incident.id]
        evidence = Evidence(now_known.answers, now_known.unknowns)
        diagnosis = concluded(case, modes, evidence, now_known.unknowns)
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
