"""Takes alarms in: looks around first, waits a moment in a storm, and joins what belongs together.

An alarm that waits here is in no journal yet, so that its sender still has it: a queue's message
is not deleted and a webhook is not answered before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Final

from petops.domain import events as ev
from petops.domain.alarm import Alarm, AlarmState
from petops.domain.events import Entry
from petops.domain.incident import Board, Incident
from petops.domain.phases import NOTHING_DONE, OVER
from petops.domain.requests import ReportAlarm
from petops.domain.subject import Kind, Subject
from petops.engine import intake
from petops.engine.grouping import is_storm, may_travel, merger, roots
from petops.engine.intake import Desk
from petops.engine.lookout import Lookout
from petops.engine.record import Decision, Record
from petops.engine.surroundings import Surroundings

_LOOK_AGAIN_SECONDS: Final = 1.0


class Reception:
    """What stands between an alarm's arrival and the journal."""

    def __init__(self, given: Surroundings, record: Record) -> None:
        self._given = given
        self._record = record
        self._lookout = Lookout(given.topology, given.clock)
        self._waiting: dict[str, Subject] = {}

    @property
    def desk(self) -> Desk:
        """What intake knows besides the board."""
        return Desk(
            connected=self._given.cluster.name,
            assess=self._given.assess,
            topology=self._lookout.seen,
            grouping=self._given.grouping,
        )

    async def look_around(self, alarm: Alarm, group: asyncio.TaskGroup) -> None:
        """Return once it is time to decide on the alarm."""
        if alarm.state is not AlarmState.ALARM or not self._given.grouping.enabled:
            return
        if intake.same_alarm(alarm, self._record.board) is not None:
            return
        await self._lookout.recent(group)
        await self._a_moment(alarm)

    def decided(self, request: ReportAlarm, board: Board) -> Decision:
        """Return what an alarm leads to."""
        now = self._given.clock.now()
        return intake.admit(request.alarm, board, self.desk, now=now, request=request.id)

    async def _a_moment(self, alarm: Alarm) -> None:
        """Wait in a storm, a few seconds at most, for what explains the alarm to show."""
        clock = self._given.clock
        until = clock.now() + self._given.grouping.hold
        subject = alarm.subject
        if subject is None:
            return
        try:
            while clock.now() < until and self._may_wait(alarm):
                self._waiting[alarm.fingerprint] = self._lookout.seen.workload(subject)
                await clock.sleep(_LOOK_AGAIN_SECONDS)
        finally:
            self._waiting.pop(alarm.fingerprint, None)

    def _may_wait(self, alarm: Alarm) -> bool:
        board, now = self._record.board, self._given.clock.now()
        if not self.storms(board):
            return False
        category = self._given.assess(alarm).category
        others = [one for key, one in self._waiting.items() if key != alarm.fingerprint]
        if not may_travel(alarm, category, self._lookout.seen, others):
            return False
        decision = intake.admit(alarm, board, self.desk, now=now)
        first = decision.events[0]
        return isinstance(first, ev.IncidentOpened) and first.origin is None

    def storms(self, board: Board) -> bool:
        """Say whether so many incidents were opened just now that one cause may explain them."""
        grouping = self._given.grouping
        return grouping.enabled and is_storm(board.latest_first, self._given.clock.now(), grouping)

    async def regrouped(self, about: Sequence[Entry]) -> tuple[str, ...]:
        """Merge incidents that these entries explain, or that explain them; return which ended."""
        changed = [
            entry.incident
            for entry in about
            if isinstance(entry.event, ev.IncidentOpened | ev.Diagnosed)
        ]
        ended = []
        for incident in changed:
            for one in self._concerned(incident):
                entries = await self._record.append(partial(self._merger, one))
                ended += [entry.incident for entry in entries]
        return tuple(ended)

    def _concerned(self, incident: str) -> tuple[str, ...]:
        """Return the incident itself, and those about what runs on or calls its objects."""
        board, topology = self._record.board, self._lookout.seen
        found = board.incidents.get(incident)
        if found is None or found.phase in OVER or not self._given.grouping.enabled:
            return ()
        its = roots(found, topology)
        others = (
            one.id
            for one in board.incidents.values()
            if one.phase in NOTHING_DONE and one.id != incident and self._is_near(one, its)
        )
        return (incident, *others)

    def _is_near(self, incident: Incident, its: frozenset[Subject]) -> bool:
        topology = self._lookout.seen
        if incident.alarm.subject is None:
            return False
        if roots(incident, topology) & its:
            return True
        subject = topology.workload(incident.alarm.subject)
        nodes = {one.name for one in its if one.kind is Kind.NODE}
        return topology.sick_node(subject) in nodes or bool(topology.below(subject) & its)

    def _merger(self, incident: str, board: Board) -> Decision:
        one = board.incidents[incident]
        others = board.latest_first
        found = merger(one, others, self._lookout.seen, self._given.grouping)
        if found is None:
            return Decision(incident=incident, events=())
        into, because = found
        merged = ev.IncidentMerged(at=self._given.clock.now(), into=into.id, because=because)
        return Decision(incident=incident, events=(merged,))
