"""Drives an incident from approval to its act's end, and offers to take back what did not help."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from petops.domain import events as ev
from petops.domain.change import Advice, Proposal, Risk, is_stepwise
from petops.domain.incident import Incident
from petops.domain.policy import Identity, Mode
from petops.engine.acting import Acting, Course
from petops.engine.record import Decision, Record
from petops.engine.repair import Repair, intended
from petops.engine.surroundings import Surroundings

POLICY: Final = "policy"
"""The channel of what no person decided, but a rule in the settings."""


class Repairing:
    """What the engine does once something was approved, by a person or by policy."""

    def __init__(self, given: Surroundings, record: Record, repair: Repair) -> None:
        self._given = given
        self._record = record
        self._repair = repair
        self._acting = Acting(given)

    @staticmethod
    def is_stepwise(incident: Incident) -> bool:
        """Say whether what is being done goes on step by step, and may rest between two."""
        return incident.intent is not None and is_stepwise(incident.intent.change)

    async def act(self, incident: Incident) -> None:
        """Make the approved change.

        After a restart the cluster is looked at before anything else.
        """
        if incident.intent is None:
            await self._begin(incident)
            return
        observes = self._given.rules.mode is Mode.OBSERVE
        event = await self._acting.settled(
            incident.intent, self._course(incident.id), only_look=observes
        )
        await self.ended(incident.id, event)

    async def ended(self, incident: str, event: ev.Event) -> None:
        """Journal how an act or its watch ended, with the offer to take it back where it failed."""
        now = self._record.board.incidents[incident]
        if now.takes_back is not None and isinstance(event, ev.RemedyApplied):
            event = ev.TakenBack(at=event.at, act=event.act, settled=event.settled)
        events = (event, *await self._taken_back(now, event))
        await self._record.append(lambda _: Decision(incident=incident, events=events))

    async def approved_by_policy(self, incident: Incident) -> bool:
        """Approve a green change where policy says so; once, and only with every guard content."""
        chosen = self._by_policy(incident)
        if chosen is None:
            return False
        by = Identity(user=f"policy auto {chosen.change.subject.namespace}", channel=POLICY)
        board = self._record.board
        against = (await self._repair.objections(incident, chosen, board, None)).why
        at = self._given.clock.now()
        event: ev.Event = ev.RemedyApproved(at=at, by=by, digest=chosen.digest)
        if against:
            event = ev.ApprovalRefused(at=at, by=by, digest=chosen.digest, why=against)

        def decide(now: object) -> Decision:
            """Approve nothing that was decided on, or is no longer on offer, meanwhile."""
            del now
            same = self._record.board.incidents[incident.id].number == incident.number
            return Decision(incident=incident.id, events=(event,) if same else ())

        await self._record.append(decide)
        return True

    def _by_policy(self, incident: Incident) -> Proposal | None:
        rules = self._given.rules
        tried = any(
            isinstance(one.event, ev.ApprovalRefused) and one.event.by.channel == POLICY
            for one in incident.history[-_since_offer(incident) :]
        )
        acts = [one for one in incident.on_offer if not isinstance(one.change, Advice)]
        first = acts[0] if acts else None
        if first is None or tried or rules.mode is not Mode.ACT or incident.unreadable:
            return None
        content = all(one.ok and one.known for one in first.guards)
        is_green = first.risk is Risk.GREEN
        return first if is_green and content and rules.is_auto(_namespace(first)) else None

    async def _begin(self, incident: Incident) -> None:
        """Journal the intent, then act; nothing is begun that would no longer be right."""
        now = self._given.clock.now()
        why = await self._not_any_more(incident)
        if why:
            voided: ev.Event = ev.ApprovalVoided(at=now, because=why)
            if incident.takes_back is not None:
                voided = ev.ActFailed(at=now, act="", why=why)
            await self._append(incident.id, (voided,))
            return
        intent = intended(incident, self._given.new_id(), now, self._record.token)
        if intent is None:
            why = "the approved change is not known"
            await self._append(incident.id, (ev.ActFailed(at=now, act="", why=why),))
            return
        await self._append(incident.id, (intent,))
        await self.ended(incident.id, await self._acting.made(intent, self._course(incident.id)))

    async def _not_any_more(self, incident: Incident) -> str:
        """Say why an approval that has rested a while, such as over a restart, holds no longer."""
        approved = incident.takes_back or incident.approved
        chosen = incident.chosen
        if self._given.rules.mode is Mode.OBSERVE:
            return "petops only observes now"
        if approved is None or chosen is None:
            return ""
        now = self._given.clock.now()
        if now >= chosen.expires_at:
            return f"it expired at {chosen.expires_at:%H:%M:%S}Z, before it could be made"
        if now - approved.at < self._given.rules.approval_rests:
            return ""
        by = approved.by if approved.by.channel != POLICY else None
        return (await self._repair.objections(incident, chosen, self._record.board, by)).why

    async def _taken_back(self, incident: Incident, event: ev.Event) -> Sequence[ev.Event]:
        """Return the offer of the inverse, and its approval where policy takes back by itself."""
        match event:
            case ev.RemedyFailed(because=because):
                pass
            case ev.ActFailed(why=because, changed=True):
                pass
            case _:
                return ()
        offer = await self._repair.taken_back(incident, self._record.board, because)
        if offer is None:
            return ()
        rules, (back,) = self._given.rules, offer.proposals
        permitted = all(one.ok for one in back.guards)
        if not permitted or rules.mode is not Mode.ACT or not rules.takes_back(_namespace(back)):
            return (offer,)
        by = Identity(user=f"policy take-back {_namespace(back)}", channel=POLICY)
        return (offer, ev.RemedyApproved(at=offer.at, by=by, digest=back.digest))

    def _course(self, incident: str) -> Course:
        def stopped() -> str:
            stop = self._record.board.incidents[incident].stop
            return f"stopped by {stop.by.user}: {stop.because}" if stop else ""

        async def report(event: ev.Event) -> None:
            await self._append(incident, (event,))

        return Course(stopped=stopped, report=report)

    async def _append(self, incident: str, events: Sequence[ev.Event]) -> None:
        await self._record.append(lambda _: Decision(incident=incident, events=events))


def _namespace(proposal: Proposal) -> str:
    return proposal.change.subject.namespace


def _since_offer(incident: Incident) -> int:
    """Return how many entries there are from the latest offer on."""
    for back, entry in enumerate(reversed(incident.history), start=1):
        if isinstance(entry.event, ev.RemediesProposed):
            return back
    return len(incident.history)
