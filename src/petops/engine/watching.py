"""Looks, after a change, whether it helped, and whether the help lasts.

Only since the change counts.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from petops.domain import events as ev
from petops.domain.diagnosis import Finding
from petops.domain.incident import Incident
from petops.domain.subject import HAS_REPLICAS, Kind, Subject
from petops.engine.repair import Repair
from petops.engine.rounds import evidence_of
from petops.engine.surroundings import Surroundings
from petops.errors import NotThereError, SourceError
from petops.playbooks.base import CauseNow, Judgement

_FIRST_LOOKS_SECONDS = 1.0
_LOOKS_A_WATCH = 40
_RAREST_LOOK_SECONDS = 60.0


class Watch:
    """The two watches: until recovered, and then until verified or mitigated."""

    def __init__(self, given: Surroundings, repair: Repair) -> None:
        self._given = given
        self._repair = repair

    async def recovery(self, incident: Incident) -> ev.Event:
        """Return when the symptom is gone and the replicas are ready, or that the time is up."""
        applied, cause = incident.applied, _cause(incident)
        if applied is None or cause is None:
            return ev.RemedyFailed(at=self._given.clock.now(), because="no change was made")
        until = applied.at + self._given.rules.recovery_deadline
        while True:
            judgement, rolled_out = await self._look(incident, cause, applied.at)
            now = self._given.clock.now()
            if judgement.symptom_gone and rolled_out:
                return ev.Recovered(at=now, signals=judgement.signals)
            if now >= until:
                minutes = self._given.rules.recovery_deadline.total_seconds() / 60
                seen = "; ".join(judgement.signals)
                because = f"not recovered {minutes:.0f} minutes after the change: {seen}"
                return ev.RemedyFailed(at=now, because=because)
            await self._given.clock.sleep(_FIRST_LOOKS_SECONDS)

    def relapse_watch(self, incident: Incident) -> ev.RelapseWatchStarted:
        """Return until when recovery must hold to count as verified."""
        cause, recovered = _cause(incident), incident.recovered
        began = recovered.at if recovered else self._given.clock.now()
        seconds = 0.0
        if cause is not None:
            mode = self._given.mode(cause.mode)
            seconds = mode.relapse_seconds(
                evidence_of(incident.answers, incident.unknowns, cause), cause
            )
        return ev.RelapseWatchStarted(
            at=self._given.clock.now(),
            until=began + timedelta(seconds=seconds),
            because=f"the cause would show again within {seconds:.0f} s",
        )

    async def relapse(self, incident: Incident, until: datetime) -> ev.Event:
        """Return verified, mitigated or failed: whichever shows first."""
        applied, cause = incident.applied, _cause(incident)
        if applied is None or cause is None:
            return ev.RemedyFailed(at=self._given.clock.now(), because="no change was made")
        began = incident.recovered.at if incident.recovered else applied.at
        pause = max(
            2.0, min(_RAREST_LOOK_SECONDS, (until - began).total_seconds() / _LOOKS_A_WATCH)
        )
        while True:
            judgement, _ = await self._look(incident, cause, applied.at)
            now = self._given.clock.now()
            if judgement.cause is CauseNow.GOES_ON:
                because = "the cause goes on: " + _words(judgement)
                return ev.Mitigated(at=now, because=because, forecast=judgement.forecast)
            if now >= until:
                return _at_the_end(judgement, now)
            left = (until - now).total_seconds()
            await self._given.clock.sleep(max(0.05, min(pause, left)))

    async def _look(
        self, incident: Incident, cause: Finding, since: datetime
    ) -> tuple[Judgement, bool]:
        judgement = await self._repair.judged(incident, cause, since)
        # Whoever the change was made to: what the alarm is about must be well, too.
        alarmed = incident.alarm.subject
        about = tuple(dict.fromkeys(one for one in (cause.target, alarmed) if one))
        states = [await self._is_rolled_out(one, strict=one == cause.watched) for one in about]
        return judgement, all(states)

    async def _is_rolled_out(self, subject: Subject, *, strict: bool) -> bool:
        """Say whether all its replicas are ready; what keeps none has none to wait for."""
        if subject.kind is Kind.NODE or (not strict and subject.kind not in HAS_REPLICAS):
            return True
        try:
            return (await self._given.cluster.workload(subject)).value.is_rolled_out
        except NotThereError:
            return not strict
        except SourceError:
            return False


def _at_the_end(judgement: Judgement, now: datetime) -> ev.Event:
    if judgement.cause is CauseNow.GONE and judgement.symptom_gone:
        return ev.RemedyVerified(at=now, signals=judgement.signals)
    if judgement.symptom_gone is False:
        return ev.RemedyFailed(at=now, because="the symptom is back: " + _words(judgement))
    because = "it stayed well, but that the cause is gone could not be measured: "
    return ev.Mitigated(at=now, because=because + _words(judgement), forecast=judgement.forecast)


def _words(judgement: Judgement) -> str:
    ahead = judgement.forecast
    words = "; ".join(judgement.signals)
    if ahead is None:
        return words
    words = f"+{ahead.growth_mib_per_minute:.1f} MiB a minute"
    if ahead.next_kill_at is not None:
        words += f", next kill at {ahead.next_kill_at:%H:%M:%S}Z"
    return words


def _cause(incident: Incident) -> Finding | None:
    return incident.diagnosis.cause if incident.diagnosis else None
