"""What every screen works with: the engines, what else was given, a person's choices, the time."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from petops.domain.change import Proposal
from petops.domain.events import Entry
from petops.domain.incident import Incident
from petops.domain.requests import (
    Acknowledge,
    AnyRequest,
    ApproveRemedy,
    BreakGlass,
    CloseIncident,
    CorrectCause,
    RejectRemedy,
    Snooze,
    StopAct,
)
from petops.domain.subject import Subject
from petops.tui.feed import Feed, Link, Ref
from petops.tui.given import Given
from petops.tui.kept import Kept
from petops.tui.times import Now, Times

Heard = Callable[[], None]


@dataclass(slots=True)
class Desk:
    """One person's place at one or several engines."""

    feeds: Sequence[Feed]
    given: Given
    kept: Kept
    times: Times
    now: Now
    ascii_only: bool = False
    _listeners: list[Heard] = field(default_factory=list)

    def listen(self, heard: Heard) -> None:
        """Call `heard` whenever a board or a connection has changed."""
        self._listeners.append(heard)

    def forget(self, heard: Heard) -> None:
        """Stop calling `heard`."""
        if heard in self._listeners:
            self._listeners.remove(heard)

    def changed(self) -> None:
        """Tell the listeners."""
        for heard in tuple(self._listeners):
            heard()

    @property
    def several(self) -> bool:
        return len(self.feeds) > 1

    @property
    def lost(self) -> tuple[Feed, ...]:
        """The engines whose connection is lost."""
        return tuple(one for one in self.feeds if one.link is Link.LOST)

    @property
    def is_informed(self) -> bool:
        """Whether every engine is being followed: only then is silence good news."""
        return all(one.link is Link.FOLLOWING for one in self.feeds)

    def feed(self, name: str) -> Feed:
        """Return the engine with this name."""
        return next(one for one in self.feeds if one.name == name)

    def incident(self, ref: Ref) -> Incident | None:
        """Return an incident as it is now."""
        return self.feed(ref.engine).board.incidents.get(ref.incident)

    def found(self, text: str) -> Ref | None:
        """Return the one incident that `text` names, by its id or its number."""
        wanted = text.strip().upper()
        if wanted.isdigit():
            wanted = f"INC-{int(wanted):04d}"
        refs = [Ref(feed.name, wanted) for feed in self.feeds if wanted in feed.board.incidents]
        return refs[0] if refs else None

    async def submit(self, engine: str, made: Callable[[str], AnyRequest]) -> Entry:
        """Submit a request with an id of its own; raise PetopsError if the engine is not there."""
        return await self.feed(engine).handle.submit(made(str(uuid.uuid4())))

    async def approve(self, ref: Ref, proposal: Proposal) -> Entry:
        """Approve exactly this change."""
        digest = proposal.digest
        return await self.submit(
            ref.engine, lambda it: ApproveRemedy(id=it, incident=ref.incident, digest=digest)
        )

    async def reject(self, ref: Ref, proposal: Proposal, because: str) -> Entry:
        """Say no to this change."""
        digest = proposal.digest
        return await self.submit(
            ref.engine,
            lambda it: RejectRemedy(id=it, incident=ref.incident, digest=digest, because=because),
        )

    async def break_glass(self, ref: Ref, proposal: Proposal, because: str) -> Entry:
        """Approve alone what needs two people, for a reason that everybody is told."""
        digest = proposal.digest
        return await self.submit(
            ref.engine,
            lambda it: BreakGlass(id=it, incident=ref.incident, digest=digest, because=because),
        )

    async def stop(self, ref: Ref, because: str) -> Entry:
        """End the act under way where it is."""
        return await self.submit(
            ref.engine, lambda it: StopAct(id=it, incident=ref.incident, because=because)
        )

    async def acknowledge(self, ref: Ref) -> Entry:
        """Say that somebody is looking at it."""
        return await self.submit(ref.engine, lambda it: Acknowledge(id=it, incident=ref.incident))

    async def snooze(self, ref: Ref, span: timedelta) -> Entry:
        """Be quiet about it for a while."""
        until = self.now() + span
        return await self.submit(
            ref.engine, lambda it: Snooze(id=it, incident=ref.incident, until=until)
        )

    async def close(self, ref: Ref, because: str) -> Entry:
        """End it by hand."""
        return await self.submit(
            ref.engine, lambda it: CloseIncident(id=it, incident=ref.incident, because=because)
        )

    async def correct(self, ref: Ref, mode: str, subject: Subject | None, because: str) -> Entry:
        """Say what the cause really was."""
        return await self.submit(
            ref.engine,
            lambda it: CorrectCause(
                id=it, incident=ref.incident, mode=mode, subject=subject, because=because
            ),
        )
