"""Slack beside an engine: mirror, inbox and Socket Mode, for as long as the engine leads."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from petops.domain.policy import Person
from petops.errors import PetopsError
from petops.ports import Clock
from petops.slack.calls import LimitedError
from petops.slack.commands import Ask, Commands
from petops.slack.due import Rules
from petops.slack.inbox import Inbox
from petops.slack.look import Look
from petops.slack.mirror import Mirror, Serves
from petops.slack.people import People
from petops.slack.signed_http import Doors, Signatures
from petops.slack.surface import Surface
from petops.slack.web import SlackWeb, slack_web

_PAUSES: Final = (1.0, 2.0, 5.0, 15.0, 30.0, 60.0)
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What Slack's side is given: settings, and what it may not reach by itself."""

    url: str
    bot_token: str = field(repr=False)
    app_token: str = field(default="", repr=False)
    signing_secret: str = field(default="", repr=False)
    rules: Rules
    look: Look
    people: Sequence[Person]
    cluster: str = ""
    modes: Sequence[str] = ()
    ask: Ask | None = None
    chaos: Callable[[], Awaitable[Sequence[str]]] | None = None


@dataclass(slots=True)
class SlackBeside:
    """Slack's side of one engine. `run` is its lifetime, `doors` what is served to it."""

    engine: Serves
    given: Given
    clock: Clock
    say: Callable[[str], None]
    inbox: Inbox | None = None
    listening: asyncio.Event = field(default_factory=asyncio.Event)

    def doors(self) -> Doors | None:
        """Return the way in by HTTP, where a signing secret is set."""
        if not self.given.signing_secret:
            return None
        signatures = Signatures(self.given.signing_secret, self.clock.now)
        return Doors(lambda: self.inbox, signatures)

    async def run(self) -> None:
        """Mirror and listen until cancelled. A mistake in here never ends the engine."""
        failures = 0
        while True:
            try:
                await self._run()
            except* PetopsError as group:
                first = _first(group)
                self.say(f"{first.message} ({first.hint})" if first.hint else first.message)
            except* Exception as group:
                _log.exception("Slack's side ended by a mistake of petops", exc_info=group)
                self.say("Slack: petops made a mistake there; it begins again (the log says more)")
            finally:
                self.inbox = None
                self.listening.clear()
            await self.clock.sleep(_PAUSES[min(failures, len(_PAUSES) - 1)])
            failures += 1

    async def _run(self) -> None:
        given = self.given
        async with (
            slack_web(given.url, given.bot_token) as slack,
            slack_web(given.url, given.app_token) as app,
        ):
            team = await self._team(slack)
            people = People(slack, team, given.people, self.clock.now)
            answers = Commands(self.engine, people, given.look, self.clock, given.ask, given.chaos)
            surface = Surface(
                engine=self.engine,
                slack=slack,
                people=people,
                look=given.look,
                clock=self.clock,
                say=self.say,
                answer=answers,
                modes=given.modes,
            )
            inbox = self.inbox = Inbox(surface, self.say)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._mirror(slack).run())
                tasks.create_task(inbox.run())
                if given.app_token:
                    tasks.create_task(self._listen(app, inbox))

    def _mirror(self, slack: SlackWeb) -> Mirror:
        return Mirror(
            engine=self.engine,
            slack=slack,
            rules=self.given.rules,
            look=self.given.look,
            clock=self.clock,
            say=self.say,
            cluster=self.given.cluster,
        )

    async def _listen(self, app: SlackWeb, inbox: Inbox) -> None:
        from petops.slack.socket_mode import SocketMode  # noqa: PLC0415 - only where it is used

        socket = SocketMode(app.session, app, inbox, self.clock, self.say, ready=self.listening)
        await socket.run()

    async def _team(self, slack: SlackWeb) -> str:
        """Return our workspace; ask until Slack has answered."""
        failures = 0
        while True:
            try:
                answer = await slack.call("auth.test")
                return str(answer["team_id"])
            except LimitedError as exc:
                pause = exc.seconds
            except PetopsError as exc:
                if failures == 0:
                    self.say(f"{exc.message} ({exc.hint})" if exc.hint else exc.message)
                pause = _PAUSES[min(failures, len(_PAUSES) - 1)]
            failures += 1
            await self.clock.sleep(pause)


def _first(group: BaseExceptionGroup[PetopsError]) -> PetopsError:
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    assert isinstance(found, PetopsError)  # noqa: S101
    return found
