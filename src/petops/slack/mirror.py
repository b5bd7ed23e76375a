"""Sends what is due, one message after another in each channel, and journals what was sent.

It keeps nothing that the journal or Slack does not hold. What may have been posted without our
knowing (its answer never came, or an engine ended in between) is looked for in the channel first.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

from petops.domain.events import NO_INCIDENT, Entry, Mirrored
from petops.domain.incident import Board
from petops.domain.policy import Identity
from petops.domain.requests import AnyRequest, RecordMirrored
from petops.errors import PetopsError
from petops.ports import Clock
from petops.slack.blocks import Message
from petops.slack.calls import Answer, AwayError, LimitedError, Slack, TurnedDownError
from petops.slack.charts import charted, masked
from petops.slack.due import CHART, Due, Rank, Rules, by_channel, due, written
from petops.slack.look import SURFACE, Look
from petops.slack.look_again import LookAgain, file_name, metadata
from petops.slack.pace import Pace

ITSELF: Final = Identity(user=SURFACE, channel="mirror")
TICK_SECONDS: Final = 20.0
_PAUSES: Final = (1.0, 2.0, 5.0, 10.0, 20.0)
_BLOCKS_WRONG: Final = frozenset(
    {"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long"}
)
_GONE: Final = frozenset({"message_not_found", "thread_not_found", "cant_update_message"})


class Serves(Protocol):
    """An engine that is told who asks."""

    async def board(self) -> Board:
        """Return every incident as it is now."""

    def entries(self, after: int) -> AsyncIterator[Entry]:
        """Follow the journal: what stands after `after`, then what comes, without end."""

    async def submit(self, request: AnyRequest, by: Identity) -> Entry:
        """Return the entry that answers the request; a refusal is one too."""


@dataclass(slots=True)
class Mirror:
    """Keeps Slack showing what the board says. `run` is its lifetime."""

    engine: Serves
    slack: Slack
    rules: Rules
    look: Look
    clock: Clock
    say: Callable[[str], None]
    cluster: str = ""
    _pulse: asyncio.Event = field(default_factory=asyncio.Event)
    _unsure: dict[tuple[str, str], datetime] = field(default_factory=dict)
    _said: dict[str, str] = field(default_factory=dict)
    _pace: Pace | None = None
    _look_again: LookAgain | None = None

    async def run(self) -> None:
        """Send what is due, until cancelled."""
        self._pace = Pace(self.clock.now)
        board = await self.engine.board()
        now = self.clock.now()
        known = due(board, self.rules, now)
        self._unsure = {(one.incident.id, one.part): now for one in known if not one.message}
        self._look_again = LookAgain(self._call, self.clock, self.cluster)
        channels = {one.channel for one in self.rules.routes}
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(board.seq))
            group.create_task(self._tick())
            for one in channels:
                group.create_task(self._keep(one))

    async def _follow(self, after: int) -> None:
        """Wake the channels when something happened that Slack has to show."""
        async with aclosing(self.engine.entries(after)) as entries:  # type: ignore[type-var]
            async for entry in entries:
                if entry.incident != NO_INCIDENT and not isinstance(entry.event, Mirrored):
                    self._wake()

    async def _tick(self) -> None:
        """Wake them for what only time changes: quiet hours that end."""
        while True:
            await self.clock.sleep(TICK_SECONDS)
            self._wake()

    def _wake(self) -> None:
        pulse, self._pulse = self._pulse, asyncio.Event()
        pulse.set()

    async def _keep(self, channel: str) -> None:
        """Send what is due in one channel: always the first of what is due at that moment."""
        failures = 0
        while True:
            pulse = self._pulse
            found = due(await self.engine.board(), self.rules, self.clock.now())
            here = by_channel(found).get(channel)
            if not here:
                await pulse.wait()
                continue
            one = here[0]
            wait = self._paced(one)
            if wait:
                await self.clock.sleep(wait)
                continue
            try:
                await self._send(one)
                failures = 0
                self._told(channel, "")
            except LimitedError as exc:
                self._limited(one, exc)
            except PetopsError as exc:
                self._told(channel, f"Slack, channel {channel}: {exc.message}", exc.hint)
                pause = _PAUSES[min(failures, len(_PAUSES) - 1)]
                failures += 1
                await self.clock.sleep(pause * random.uniform(0.75, 1.0))  # noqa: S311

    def _paced(self, one: Due) -> float:
        assert self._pace is not None  # noqa: S101
        return self._pace.wait(_method(one), one.channel)

    def _limited(self, one: Due, exc: LimitedError) -> None:
        assert self._pace is not None  # noqa: S101
        self._pace.limited(exc.method, one.channel, exc.seconds)
        self._pace.limited(_method(one), one.channel, exc.seconds)

    def _told(self, channel: str, text: str, hint: str | None = None) -> None:
        """Say a trouble once, and that it is over."""
        before = self._said.get(channel, "")
        self._said[channel] = text
        if text and text != before:
            self.say(f"{text} ({hint})" if hint else text)
        elif before and not text:
            self.say(f"Slack, channel {channel}: it goes on")

    async def _send(self, one: Due) -> None:
        key = (one.incident.id, one.part)
        if not one.message and key in self._unsure:
            assert self._look_again is not None  # noqa: S101
            found = await self._look_again.found(one, since=self._unsure[key])
            if found is not None:
                await self._record(one, *found)
            self._unsure.pop(key)
            if found is not None:
                return
        try:
            message = await (self._draw(one) if one.part == CHART else self._post(one))
        except AwayError as exc:
            if exc.is_unknown and not one.message:
                self._unsure[key] = self.clock.now()
            raise
        except TurnedDownError as exc:
            if one.message and exc.code in _GONE:
                message = one.message  # somebody deleted it: it is not posted again
            else:
                raise
        self._unsure[key] = self.clock.now()  # until the journal has it
        await self._record(one, message, one.shown)
        self._unsure.pop(key)

    async def _post(self, one: Due) -> str:
        """Post or change one message; return its id."""
        written_now = written(one, self.look, self.clock.now())
        try:
            return await self._posted(one, written_now)
        except TurnedDownError as exc:
            if exc.code not in _BLOCKS_WRONG:
                raise
            self.say(f"Slack did not take the blocks of {one.incident.id}: {exc.message}")
            return await self._posted(one, Message(text=written_now.text))

    async def _posted(self, one: Due, message: Message) -> str:
        arguments: dict[str, Any] = {
            "channel": one.channel,
            "text": message.text,
            "blocks": list(message.blocks),
            "metadata": metadata(one, self.cluster),
            "unfurl_links": False,
            "unfurl_media": False,
        }
        if one.message:
            answer = await self.slack.call("chat.update", ts=one.message, **arguments)
        else:
            answer = await self.slack.call(
                "chat.postMessage", thread_ts=one.thread or None, **arguments
            )
        return str(answer["ts"])

    async def _draw(self, one: Due) -> str:
        """Upload the chart of the present round into the thread; return the file's id."""
        from petops.slack.pictures import png  # noqa: PLC0415 - Pillow, only where one is drawn

        chart = charted(one.incident)
        if chart is None:
            return "none"
        try:
            content = await asyncio.to_thread(png, masked(chart, self.look.writer))
        except PetopsError as exc:
            self.say(f"{exc.message} ({exc.hint})")
            return "none"
        place = await self.slack.call(
            "files.getUploadURLExternal", filename=file_name(one), length=len(content)
        )
        await self.slack.put(str(place["upload_url"]), content)
        title = self.look.writer.plain(chart.title, 120)
        await self._call(
            "files.completeUploadExternal",
            one.channel,
            files=[{"id": place["file_id"], "title": title}],
            channel_id=one.channel,
            thread_ts=one.thread,
        )
        return str(place["file_id"])

    async def _call(self, method: str, where: str, /, **arguments: object) -> Answer:
        """Call a method as soon as its pace allows."""
        assert self._pace is not None  # noqa: S101
        while wait := self._pace.wait(method, where):
            await self.clock.sleep(wait)
        return await self.slack.call(method, **arguments)

    async def _record(self, one: Due, message: str, shown: int) -> None:
        """Journal what stands in Slack; the same twice is one entry."""
        where = f"{one.channel}:{message}:{one.part}:{shown}"
        request = RecordMirrored(
            id=f"{SURFACE}:{one.incident.id}:{where}",
            incident=one.incident.id,
            surface=SURFACE,
            part=one.part,
            channel=one.channel,
            message=message,
            shown=shown,
        )
        await self.engine.submit(request, ITSELF)


def _method(one: Due) -> str:
    if one.part == CHART:
        return "files.getUploadURLExternal"
    return "chat.update" if one.rank is Rank.CHANGED else "chat.postMessage"
