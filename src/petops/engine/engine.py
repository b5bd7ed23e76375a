"""The engine: takes requests, and drives each incident from phase to phase.

It keeps nothing that the journal does not hold: a driver looks at the incident's phase, does what
that phase asks for, appends what happened, and looks again. A restart begins at the same place.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

from petops.domain import events as ev
from petops.domain.alarm import AlarmState
from petops.domain.events import Entry
from petops.domain.incident import Board, Incident
from petops.domain.phases import AT_REST, Phase
from petops.domain.policy import Identity
from petops.domain.requests import AnyRequest, ApproveRemedy, BreakGlass, ReportAlarm, SplitOff
from petops.engine import decisions, fence, intake, splitting
from petops.engine.investigating import Investigating
from petops.engine.reception import Reception
from petops.engine.record import Decision, Record
from petops.engine.repair import Repair
from petops.engine.repairing import Repairing
from petops.engine.surroundings import Surroundings
from petops.engine.watching import Watch
from petops.errors import PetopsError, SupersededError
from petops.ports import Journal

_RETRY_SECONDS: Final = (1.0, 2.0, 5.0, 15.0, 60.0)
_BUG_RETRIES: Final = 3


class Engine:
    """One engine on one journal. `running` is its lifetime."""

    def __init__(self, journal: Journal, given: Surroundings) -> None:
        self._record = Record(journal)
        self._given = given
        self._repair = Repair(given)
        self._repairing = Repairing(given, self._record, self._repair)
        self._watch = Watch(given, self._repair)
        self._investigating = Investigating(given, self._record)
        self._reception = Reception(given, self._record)
        self._slots = asyncio.Semaphore(given.investigations_at_once)
        self._drivers: dict[str, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Engine]:
        """Load the journal and go on with every open incident, for as long as the block lasts."""
        await self._record.load()
        async with asyncio.TaskGroup() as group:
            self._group = group
            for incident in self._record.board.incidents:
                self._drive(incident)
            try:
                yield self
            finally:
                self._group = None
                for driver in self._drivers.values():
                    driver.cancel()

    async def settled(self) -> None:
        """Return as soon as no change is being made that ends by itself in a moment."""
        while any(
            one.phase is Phase.REPAIRING and one.intent is not None
            for one in self._record.board.incidents.values()
            if not self._repairing.is_stepwise(one)
        ):
            await self._record.beyond(self._record.board.seq)

    async def board(self) -> Board:
        """Return every incident as it is now."""
        return self._record.board

    def entries(self, after: int) -> AsyncIterator[Entry]:
        """Follow the journal from `after` on, without end."""
        return self._record.follow(after)

    async def submit(self, request: AnyRequest, by: Identity) -> Entry:
        """Return the entry that answers the request. The same request again gets the same entry."""
        known = self._record.board.answered.get(request.id)
        if known is not None:
            return known
        objections: decisions.Objections | None = None
        if isinstance(request, ApproveRemedy | BreakGlass):
            objections = await self._objections(request, by)
        if isinstance(request, ReportAlarm) and self._group is not None:
            await self._reception.look_around(request.alarm, self._group)
        entries = await self._record.append(
            lambda board: self._decided(request, board, by, objections)
        )
        for entry in entries:
            await self._taken_out(entry, by)
            self._drive(entry.incident)
        await self._regrouped(entries)
        return entries[0] if entries else self._record.board.answered[request.id]

    def _decided(
        self,
        request: AnyRequest,
        board: Board,
        by: Identity,
        objections: decisions.Objections | None,
    ) -> Decision:
        """Return the decision on a request, on the very board that it is appended to."""
        if request.id in board.answered:
            return Decision(incident=ev.NO_INCIDENT, events=())
        now = self._given.clock.now()
        if isinstance(request, ReportAlarm):
            return self._reception.decided(request, board)
        if isinstance(request, SplitOff):
            return splitting.split(request, board, by, now)
        rules = self._given.rules
        return decisions.decide(request, board, by, now, rules=rules, objections=objections)

    async def _taken_out(self, opened: Entry, by: Identity) -> None:
        """Journal where an alarm was split off that it was."""
        taken = splitting.taken_out(opened, by, self._given.clock.now())
        if taken is not None:
            await self._record.append(lambda _: taken)

    async def _regrouped(self, entries: Sequence[Entry]) -> None:
        """Merge what belongs together by what is known now, and stop working on what merged."""
        for incident in await self._reception.regrouped(entries):
            driver = self._drivers.get(incident)
            if driver is not None and driver is not asyncio.current_task():
                driver.cancel()

    async def _objections(
        self, request: ApproveRemedy | BreakGlass, by: Identity
    ) -> decisions.Objections | None:
        """Run the guards again just before the decision, where the request is otherwise in order.

        None where it is not: then none were asked.
        """
        board = self._record.board
        incident = board.incidents.get(request.incident)
        now, rules = self._given.clock.now(), self._given.rules
        if incident is None or decisions.refusal(request, incident, by, now, rules=rules):
            return None
        proposal = decisions.on_offer(incident, request.digest)
        if isinstance(proposal, str):
            return None
        return await self._repair.objections(incident, proposal, board, by)

    def _drive(self, incident: str) -> None:
        """See to it that somebody works on the incident."""
        if self._group is None or incident not in self._record.board.incidents:
            return
        driver = self._drivers.get(incident)
        if driver is None or driver.done():
            self._drivers[incident] = self._group.create_task(
                self._driven(incident), name=f"incident {incident}"
            )

    async def _driven(self, incident: str) -> None:
        """Work on the incident until it is at rest.

        A bug does not end petops: it is tried again, and then a person takes over.
        """
        failures = 0
        while self._has_work(now := self._record.board.incidents[incident]):
            try:
                await self._work(now)
                failures = 0
            except Exception as exc:
                known = _told(exc)
                if isinstance(known, SupersededError):
                    return  # another engine goes on with it
                failures += 1
                what = f"{known.message}; trying again" if known else fence.told(exc)
                is_hopeless = known is None and failures > _BUG_RETRIES
                if not (is_hopeless and await self._gave_up(now, what)):
                    await self._noted(incident, what, failures)

    def _has_work(self, incident: Incident) -> bool:
        return incident.phase not in AT_REST or self._asks_again(incident) or self._clears(incident)

    def _clears(self, incident: Incident) -> bool:
        """Say whether nothing of it goes on any more, and nothing was changed."""
        return incident.phase in intake.NOTHING_LEFT and intake.has_cleared(
            incident, self._record.board
        )

    def _asks_again(self, incident: Incident) -> bool:
        """Say whether an alarm that goes on without a known cause is to be looked at once more."""
        return (
            incident.phase is Phase.UNEXPLAINED
            and incident.alarm_state is AlarmState.ALARM
            and incident.asked_again < len(self._given.rules.ask_again_after)
        )

    async def _gave_up(self, incident: Incident, why: str) -> bool:
        """Hand the incident to a person; false where it cannot be, or something else happened."""
        ended = fence.given_up(incident.phase, why, self._given.clock.now())

        def decide(board: Board) -> Decision:
            same = board.incidents[incident.id].number == incident.number
            return Decision(incident=incident.id, events=(ended,) if ended and same else ())

        try:
            return bool(await self._record.append(decide))
        except PetopsError:
            return False

    async def _noted(self, incident: str, text: str, failures: int) -> None:
        if failures <= len(_RETRY_SECONDS):
            # Where the journal itself is what fails, only waiting helps.
            with suppress(PetopsError):
                await self._append(incident, ev.Noted(at=self._given.clock.now(), text=text))
        await self._given.clock.sleep(_RETRY_SECONDS[min(failures, len(_RETRY_SECONDS)) - 1])

    async def _work(self, incident: Incident) -> None:
        """Do what the incident's phase asks for, and append what happened."""
        match incident.phase:
            case Phase.OPEN | Phase.INVESTIGATING:
                await self._unless_it_storms(incident)
                async with self._slots:
                    now = self._record.board.incidents[incident.id]
                    if now.phase in {Phase.OPEN, Phase.INVESTIGATING}:
                        await self._regrouped(await self._investigating.run(now))
            case Phase.DIAGNOSED:
                events = await self._repair.proposed(incident, self._record.board)
                await self._record.append(lambda _: Decision(incident=incident.id, events=events))
            case Phase.WAITING:
                await self._wait_for_decision(incident)
            case Phase.REPAIRING:
                await self._repairing.act(incident)
            case Phase.WATCHING:
                await self._repairing.ended(incident.id, await self._watch.recovery(incident))
            case Phase.UNEXPLAINED | Phase.HANDED_OVER if self._clears(incident):
                await self._resolve(incident)
            case Phase.UNEXPLAINED:
                await self._ask_again(incident)
            case Phase.RECOVERED:
                await self._watch_for_relapse(incident)

    async def _unless_it_storms(self, incident: Incident) -> None:
        """Wait, where many incidents were opened just now, for what explains this one to show."""
        if incident.phase is Phase.OPEN and self._reception.storms(self._record.board):
            await self._given.clock.sleep(self._given.grouping.hold.total_seconds())

    async def _wait_for_decision(self, incident: Incident) -> None:
        """Return when something was decided.

        Let what nobody decided on lapse, and offer it anew.
        """
        expires = min((one.expires_at for one in incident.on_offer), default=None)
        if expires is None:
            await self._append(
                incident.id,
                ev.NothingToPropose(
                    at=self._given.clock.now(), because="every change was rejected"
                ),
            )
            return
        if await self._repairing.approved_by_policy(incident):
            return
        left = (expires - self._given.clock.now()).total_seconds()
        try:
            async with asyncio.timeout(max(0.0, left)):
                await self._changed(incident)
        except TimeoutError:
            now = self._given.clock.now()
            at_most = self._given.rules.lapses_at_most
            await self._append(incident.id, decisions.lapsed(incident, at_most, now))

    async def _ask_again(self, incident: Incident) -> None:
        """Begin anew after a while, unless something happens first.

        What was too fresh shows then.
        """
        pause = self._given.rules.ask_again_after[incident.asked_again]
        try:
            async with asyncio.timeout(pause.total_seconds()):
                await self._changed(incident)
        except TimeoutError:
            again = ev.AskedAgain(
                at=self._given.clock.now(), because="no cause was found, and the alarm goes on"
            )
            await self._append(incident.id, again)

    async def _resolve(self, incident: Incident) -> None:
        """End what cleared by itself; what flaps is looked at for a while first."""
        now, grouping = self._given.clock.now(), self._given.grouping
        left = 0.0
        if intake.flaps(incident, now, grouping):
            since = now - incident.history[-1].event.at
            left = (grouping.quiet - since).total_seconds()
        try:
            async with asyncio.timeout(max(0.0, left)):
                await self._changed(incident)
        except TimeoutError:
            resolved = ev.Resolved(at=self._given.clock.now(), because=intake.CLEARED)
            await self._append(incident.id, resolved)

    async def _changed(self, incident: Incident) -> None:
        """Return when more happened to the incident than that its alarms were reported again."""
        was = (incident.number - incident.joined, incident.has_cleared)
        while True:
            seq = self._record.board.seq
            now = self._record.board.incidents[incident.id]
            if (now.number - now.joined, now.has_cleared) != was:
                return
            await self._record.beyond(seq)

    async def _watch_for_relapse(self, incident: Incident) -> None:
        if incident.watch is None:
            await self._append(incident.id, self._watch.relapse_watch(incident))
            return
        ended = await self._watch.relapse(incident, incident.watch.until)
        await self._repairing.ended(incident.id, ended)

    async def _append(self, incident: str, event: ev.Event) -> None:
        await self._record.append(lambda _: Decision(incident=incident, events=(event,)))


def _told(exc: Exception) -> PetopsError | None:
    """Return what is no bug, from within the groups that tasks put it in."""
    if not isinstance(exc, ExceptionGroup):
        return exc if isinstance(exc, PetopsError) else None
    known, bugs = exc.split(PetopsError)
    return None if bugs or known is None else _told(known.exceptions[0])
