"""What may be decided about an incident, the same on each screen that has one chosen."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import timedelta
from typing import TYPE_CHECKING, cast

from textual import work

from petops.domain.change import Act, Advice, Proposal, Risk
from petops.domain.events import ApprovalRefused, Entry, RequestRefused
from petops.domain.phases import Phase
from petops.errors import PetopsError
from petops.tui.feed import Ref
from petops.tui.screens.base import DeskScreen
from petops.tui.screens.confirm import Confirm, Question
from petops.tui.screens.correct import Correct
from petops.tui.wording import is_over

if TYPE_CHECKING:
    from petops.tui.app import Dashboard

SNOOZE = timedelta(minutes=30)


class Deciding(DeskScreen):
    """Acknowledge, snooze, close, approve, reject: each is answered by an entry or a refusal."""

    @property
    def chosen(self) -> Ref | None:
        """The incident that is chosen, if one is."""
        return None

    def idle(self) -> frozenset[str]:
        """Return what cannot be done with the chosen incident as it is."""
        incident = self.desk.incident(self.chosen) if self.chosen else None
        if incident is None:
            return frozenset(
                {"open", "choose", "approval", "acknowledge", "snooze", "correct", "copy"}
            )
        changes = [one for one in incident.on_offer if not isinstance(one.change, Advice)]
        able = {
            "approval": bool(changes),
            "acknowledge": incident.acknowledged is None and not is_over(incident),
            "snooze": not is_over(incident),
            "correct": incident.diagnosis is not None,
        }
        return frozenset(action for action, is_able in able.items() if not is_able)

    @property
    def desk_app(self) -> Dashboard:
        """The app, by its own type."""
        return cast("Dashboard", self.app)

    def action_approval(self) -> None:
        """Open what is on offer."""
        ref = self.chosen
        if ref is None:
            return
        incident = self.desk.incident(ref)
        if incident is not None and not incident.proposals:
            self.say(f"{ref.incident} has no change on offer")
            return
        self.desk_app.open_approval(ref)

    def action_acknowledge(self) -> None:
        """Say that you are looking at it."""
        if self.chosen:
            self.answered(self.desk.acknowledge(self.chosen), f"you are on {self.chosen.incident}")

    def action_snooze(self) -> None:
        """Be quiet about it for half an hour."""
        self.snooze(SNOOZE)

    def snooze(self, span: timedelta) -> None:
        """Be quiet about it for a while."""
        if self.chosen:
            minutes = int(span.total_seconds() // 60)
            told = f"{self.chosen.incident} is quiet for {minutes} min"
            self.answered(self.desk.snooze(self.chosen, span), told)

    @work
    async def action_close_incident(self) -> None:
        """End it by hand, with the reason."""
        ref = self.chosen
        incident = self.desk.incident(ref) if ref else None
        if ref is None or incident is None:
            return
        question = Question(
            verb=f"close {ref.incident}",
            summary=f"End {ref.incident} by hand. Nothing in the cluster is changed.",
            subject=incident.alarm.subject,
            engine=ref.engine,
            wants_reason=True,
        )
        because = await self.app.push_screen_wait(Confirm(question))
        if because:
            self.answered(self.desk.close(ref, because), f"{ref.incident} is closed")

    @work
    async def approve(self, ref: Ref, proposal: Proposal) -> None:
        """Approve exactly this change, once a person has typed the word that is asked for."""
        change = proposal.change
        if isinstance(change, Advice):
            self.say("that is advice: there is nothing to approve")
            return
        if await self.app.push_screen_wait(Confirm(self._question(ref, proposal, change))):
            told = f"approved: {change.summary}"
            self.answered(self.desk.approve(ref, proposal), told)

    @work
    async def reject(self, ref: Ref, proposal: Proposal) -> None:
        """Say no to this change, with the reason."""
        question = Question(
            verb="reject this change",
            summary=proposal.change.summary,
            subject=proposal.change.subject,
            engine=ref.engine,
            production=self._is_production(ref, proposal),
            wants_reason=True,
        )
        because = await self.app.push_screen_wait(Confirm(question))
        if because:
            self.answered(self.desk.reject(ref, proposal, because), "rejected")

    @work
    async def break_glass(self, ref: Ref, proposal: Proposal) -> None:
        """Approve alone what needs two people, with a reason that everybody is told."""
        if proposal.risk is not Risk.RED or isinstance(proposal.change, Advice):
            self.say("only a high-risk change needs two people: a approves this one", bad=True)
            return
        question = Question(
            verb="break the glass: approve alone",
            summary=proposal.change.summary,
            subject=proposal.change.subject,
            engine=ref.engine,
            production=self._is_production(ref, proposal),
            wants_reason=True,
            notes=("This needs two people. Alone it goes with a reason, and everybody is told.",),
        )
        because = await self.app.push_screen_wait(Confirm(question))
        if because:
            self.answered(self.desk.break_glass(ref, proposal, because), "approved, alone")

    @work
    async def stop_act(self, ref: Ref) -> None:
        """End the act under way where it is, with the reason."""
        incident = self.desk.incident(ref)
        if incident is None or incident.intent is None or incident.phase is not Phase.REPAIRING:
            self.say("no act is under way", bad=True)
            return
        question = Question(
            verb="stop the act under way",
            summary=f"End where it is: {incident.intent.change.summary}",
            subject=incident.intent.change.subject,
            engine=ref.engine,
            wants_reason=True,
        )
        because = await self.app.push_screen_wait(Confirm(question))
        if because:
            self.answered(self.desk.stop(ref, because), "it is told to stop")

    @work
    async def action_correct(self) -> None:
        """Say what the cause really was; it is kept beside the verdict, as a case."""
        ref = self.chosen
        incident = self.desk.incident(ref) if ref else None
        if ref is None or incident is None:
            return
        if incident.diagnosis is None:
            self.say("there is no verdict yet", bad=True)
            return
        cause = incident.diagnosis.cause
        said = f"{cause.mode}: {cause.because}" if cause else "no cause found"
        dialog = Correct(said, self.desk.given.causes, incident.alarm.cluster)
        correction = await self.app.push_screen_wait(dialog)
        if correction is not None:
            told = f"kept: it was {correction.mode}"
            said_so = self.desk.correct(
                ref, correction.mode, correction.subject, correction.because
            )
            self.answered(said_so, told)

    def _question(self, ref: Ref, proposal: Proposal, change: Act) -> Question:
        """Return what is asked; in production and for high risk, to type the target's name."""
        production = self._is_production(ref, proposal)
        careful = production or proposal.risk is Risk.RED
        back = proposal.inverse.summary if proposal.inverse else "none, pods are replaced"
        return Question(
            verb="approve this change",
            summary=change.summary,
            subject=change.subject,
            engine=ref.engine,
            production=production,
            word=change.subject.name if careful else "yes",
            notes=(f"digest     {proposal.digest[:19]}", f"inverse    {back}"),
        )

    def _is_production(self, ref: Ref, proposal: Proposal) -> bool:
        cluster = proposal.change.subject.cluster.name
        return self.desk.feed(ref.engine).is_production_of(cluster)

    @work
    async def answered(self, asked: Awaitable[Entry], told: str) -> None:
        """Wait for the entry that answers, and say whether it was accepted."""
        try:
            entry = await asked
        except PetopsError as exc:
            self.said(exc)
            return
        if isinstance(entry.event, ApprovalRefused | RequestRefused):
            self.say(f"refused: {entry.event.why}", bad=True)
        else:
            self.say(told)
