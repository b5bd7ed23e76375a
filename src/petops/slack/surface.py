"""What people do in Slack becomes requests; what comes of them is told to them alone.

Whoever delivers (Socket Mode, HTTP) acknowledges first. A request's id follows from the press, so
that one that comes again has the effect and the answer of the first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from petops.domain.events import ApprovalRefused, Entry, RequestRefused
from petops.domain.incident import Incident
from petops.domain.policy import Identity
from petops.domain.requests import (
    Acknowledge,
    AnyRequest,
    ApproveRemedy,
    CorrectCause,
    RejectRemedy,
    Snooze,
)
from petops.errors import PetopsError
from petops.ports import Clock
from petops.slack import blocks, home, modals, storm
from petops.slack.calls import AwayError, Slack, TurnedDownError
from petops.slack.due import CARD, STORM
from petops.slack.incoming import (
    HomeOpened,
    Incoming,
    Pressed,
    Sent,
    Typed,
    Who,
    carried,
)
from petops.slack.look import SURFACE, Look
from petops.slack.mirror import Serves
from petops.slack.modals import Opened, opened_from
from petops.slack.people import NotYouError, People
from petops.slack.text import MESSAGE_TEXT, Json, cut, section

_REMEMBERED: Final = 4096
_SPANS: Final = {
    "30m": timedelta(minutes=30),
    "1h": timedelta(hours=1),
    "4h": timedelta(hours=4),
    "12h": timedelta(hours=12),
}
_LISTED: Final = 40

Answering = Callable[[Typed], Awaitable[tuple[str, Sequence[Json]]]]
"""Answers a slash command: a text, and blocks where there are some."""


@dataclass(slots=True)
class Surface:
    """Takes what people do. `done` never raises for what a person did wrong: they are told."""

    engine: Serves
    slack: Slack
    people: People
    look: Look
    clock: Clock
    say: Callable[[str], None]
    answer: Answering
    modes: Sequence[str] = ()
    _seen: OrderedDict[str, None] = field(default_factory=OrderedDict)

    def is_new(self, incoming: Incoming) -> bool:
        """Say whether this comes for the first time here; the engine knows requests for good."""
        if incoming.id in self._seen:
            return False
        self._seen[incoming.id] = None
        while len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        return True

    async def done(self, incoming: Incoming) -> None:
        """Do what somebody asked for, and tell them what came of it."""
        try:
            match incoming:
                case Pressed():
                    await self._pressed(incoming)
                case Sent():
                    await self._sent(incoming)
                case Typed():
                    await self.people.member(incoming.who)
                    text, shown = await self.answer(incoming)
                    await self._tell(incoming, text, shown)
                case HomeOpened():
                    await self.people.member(incoming.who)
                    await self._show_home(incoming.who)
        except NotYouError as exc:
            await self._tell(incoming, f"{exc.message} {exc.hint or ''}".strip())
        except PetopsError as exc:
            await self._tell(incoming, f"{exc.message} {exc.hint or ''}".strip())
            self.say(f"Slack: {exc.message}")

    async def _pressed(self, pressed: Pressed) -> None:
        if pressed.action == home.REFRESH:
            await self.people.member(pressed.who)
            await self._show_home(pressed.who)
            return
        incident, digest = carried(pressed.value)
        if pressed.action == blocks.SNOOZE:
            incident, _, digest = pressed.value.partition(" ")
        found = await self._incident(incident, pressed)
        opened = Opened(found.id, digest, pressed.channel, pressed.message)
        if pressed.view:
            opened = opened_from(pressed.kept) or opened
        if pressed.action in {blocks.DETAILS, storm.OPEN_ONE}:
            await self.people.member(pressed.who)
            await self._open(pressed, modals.details(found, opened, self.look))
            return
        by = await self.people.identity(pressed.who)
        match pressed.action:
            case blocks.APPROVE:
                await self._submit(
                    ApproveRemedy(id=pressed.id, incident=found.id, digest=digest), by, pressed
                )
            case blocks.ACKNOWLEDGE:
                await self._submit(Acknowledge(id=pressed.id, incident=found.id), by, pressed)
            case blocks.SNOOZE if digest in _SPANS:
                until = self.clock.now() + _SPANS[digest]
                request = Snooze(id=pressed.id, incident=found.id, until=until)
                await self._submit(request, by, pressed)
            case blocks.REJECT:
                asked = Opened(found.id, digest, pressed.channel, pressed.message)
                await self._open(pressed, modals.reject(asked))
            case blocks.WRONG_CAUSE:
                await self._open(pressed, modals.correct(opened, self.modes))
            case _:
                raise NotYouError("petops does not know this button: its message is too old.")

    async def _sent(self, sent: Sent) -> None:
        opened = opened_from(sent.kept)
        if opened is None or sent.callback not in {modals.REJECTED, modals.CORRECTED}:
            raise NotYouError("petops does not know this form.")
        by = await self.people.identity(sent.who)
        because = sent.filled.get(modals.BECAUSE, "").strip()
        if sent.callback == modals.REJECTED:
            request: AnyRequest = RejectRemedy(
                id=sent.id, incident=opened.incident, digest=opened.digest, because=because
            )
        else:
            mode = sent.filled.get(modals.MODE, "")
            other = mode in {"", modals.OTHER}
            if other and not because:
                raise NotYouError("Say what it was: choose a cause, or describe it.")
            request = CorrectCause(
                id=sent.id,
                incident=opened.incident,
                mode=because[:200] if other else mode,
                because=because,
            )
        await self._submit(request, by, sent)

    async def _incident(self, wanted: str, pressed: Pressed) -> Incident:
        """Return the incident that a button is about; its message must be the one we posted."""
        board = await self.engine.board()
        found = board.incidents.get(wanted)
        if found is None:
            raise NotYouError("This message belongs to no incident that petops knows.")
        if pressed.view:
            return found
        stands = [
            (one.channel, one.message)
            for each in board.incidents.values()
            for one in each.mirrored
            if one.surface == SURFACE and one.part in {CARD, STORM}
            if one.part == STORM or each.id == found.id
        ]
        if pressed.message and (pressed.channel, pressed.message) not in stands:
            raise NotYouError("This message is not the one that petops posted for the incident.")
        return found

    async def _submit(self, request: AnyRequest, by: Identity, asked: Pressed | Sent) -> None:
        entry = await self.engine.submit(request, by)
        refused = _refusal(entry)
        if refused:
            await self._tell(asked, f"Not done: {refused}")

    async def _open(self, pressed: Pressed, view: Json) -> None:
        try:
            await self.slack.call("views.open", trigger_id=pressed.trigger, view=view)
        except TurnedDownError as exc:
            if exc.code not in {"expired_trigger_id", "exchanged_trigger_id"}:
                raise
            raise NotYouError("Slack took too long to open the form. Press again.") from exc

    async def _show_home(self, who: Who) -> None:
        view = home.home(await self.engine.board(), self.look)
        await self.slack.call("views.publish", user_id=who.user, view=view)

    async def _tell(self, incoming: Incoming, text: str, shown: Sequence[Json] = ()) -> None:
        """Tell one person alone; where Slack does not take it there is nobody left to tell."""
        safe = cut(text, MESSAGE_TEXT) if shown else self.look.writer.said(text, MESSAGE_TEXT)
        message: dict[str, Any] = {"text": safe, "blocks": list(shown) or [section(safe)]}
        place = _place(incoming)
        try:
            if isinstance(incoming, Pressed | Typed) and incoming.respond_to:
                private = {"response_type": "ephemeral", "replace_original": False}
                await self.slack.respond(incoming.respond_to, {**message, **private})
            elif place:
                await self.slack.call(
                    "chat.postEphemeral", channel=place, user=incoming.who.user, **message
                )
        except (AwayError, TurnedDownError, PetopsError) as exc:
            self.say(f"Slack: {incoming.who.user} could not be told: {exc.message}")


def _place(incoming: Incoming) -> str:
    """Return the channel in which somebody can be told something."""
    match incoming:
        case Pressed(channel=channel) if channel:
            return channel
        case Pressed(kept=kept) | Sent(kept=kept):
            opened = opened_from(kept)
            return opened.channel if opened else ""
        case Typed(channel=channel):
            return channel
        case HomeOpened():
            return ""


def _refusal(entry: Entry) -> str:
    match entry.event:
        case ApprovalRefused(why=why) | RequestRefused(why=why):
            return why
        case _:
            return ""


def acknowledged(incoming: Incoming | None) -> Mapping[str, object] | None:
    """Return what an acknowledgement carries: a form that was sent closes by it."""
    return {"response_action": "clear"} if isinstance(incoming, Sent) else None
