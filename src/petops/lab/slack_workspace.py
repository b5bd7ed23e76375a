"""The lab's Slack without any socket: a workspace with its people, channels, messages and files."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

Json = dict[str, Any]

TEAM: Final = "T0LAB"
APP: Final = "A0PETOPS"
BOT_USER: Final = "U0PETOPS"
BOT: Final = "B0PETOPS"
CHANNEL: Final = "C0INCIDENTS"
ELSEWHERE: Final = "C0ELSEWHERE"
BOT_TOKEN: Final = "xoxb-lab-petops"  # noqa: S105 - the lab's own, good for nothing else
APP_TOKEN: Final = "xapp-lab-petops"  # noqa: S105
SIGNING_SECRET: Final = "lab-signing-secret"  # noqa: S105
TRIGGER_SECONDS: Final = 3.0
RESPONSES: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Somebody of the workspace; `deleted` is deactivated."""

    id: str
    name: str
    real_name: str
    deleted: bool = False
    is_restricted: bool = False
    team: str = TEAM


MEMBERS: Final = (
    Member(id="U0ANA", name="ana", real_name="Ana, on call"),
    Member(id="U0BEN", name="ben", real_name="Ben, may only look"),
    Member(id="U0CLEO", name="cleo", real_name="Cleo, not mapped"),
    Member(id="U0DORA", name="dora", real_name="Dora, deactivated", deleted=True),
    Member(id="U0EVE", name="eve", real_name="Eve, of another company", team="T0OTHER"),
)
PEOPLE: Final = "U0ANA=ana,U0BEN=ben,U0DORA=ana,U0EVE=ana"
"""Who they are in the lab's Kubernetes, as settings have it."""


@dataclass(slots=True)
class Workspace:
    """Everything that stands in the lab's Slack. Whoever changes it calls `changed`."""

    now: Callable[[], datetime]
    members: Mapping[str, Member] = field(default_factory=lambda: {one.id: one for one in MEMBERS})
    channels: dict[str, Json] = field(default_factory=lambda: dict(_channels()))
    messages: dict[str, dict[str, Json]] = field(default_factory=dict)
    private: list[Json] = field(default_factory=list)
    files: dict[str, Json] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    homes: dict[str, Json] = field(default_factory=dict)
    modals: dict[str, Json] = field(default_factory=dict)
    triggers: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    responses: dict[str, Json] = field(default_factory=dict)
    version: int = 0
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _latest: float = 0.0

    def new_id(self, kind: str) -> str:
        """Return an id that was never used."""
        return f"{kind}{next(self._numbers):06d}"

    def stamp(self) -> str:
        """Return a message's id: its time, always later than the last."""
        self._latest = max(self.now().timestamp(), self._latest + 0.000002)
        return f"{self._latest:.6f}"

    def changed(self) -> None:
        """Tell everyone who looks."""
        self.version += 1
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def beyond(self, version: int) -> int:
        """Return the version as soon as it is beyond this one."""
        while self.version <= version:
            await self._news.wait()
        return self.version

    def post(self, channel: str, message: Json) -> Json:
        """Put a message into a channel, or into a thread of it."""
        stamp = self.stamp()
        posted = {
            "type": "message",
            "user": BOT_USER,
            "bot_id": BOT,
            "app_id": APP,
            "team": TEAM,
            "ts": stamp,
            **message,
        }
        self.messages.setdefault(channel, {})[stamp] = posted
        self.changed()
        return posted

    def thread(self, channel: str, parent: str) -> list[Json]:
        """Return a thread, its parent first."""
        here = self.messages.get(channel, {})
        replies = [one for one in here.values() if one.get("thread_ts") == parent]
        head = here.get(parent)
        return [head, *replies] if head else []

    def top(self, channel: str) -> list[Json]:
        """Return a channel's messages, oldest first, without those in threads."""
        here = self.messages.get(channel, {}).values()
        return [one for one in here if "thread_ts" not in one]

    def trigger(self, user: str) -> str:
        """Return what lets an app open a form for somebody, for three seconds and once."""
        made = self.new_id("trigger.")
        self.triggers[made] = (user, self.now())
        return made

    def response(self, user: str, channel: str) -> str:
        """Return the last part of a response URL."""
        made = self.new_id("R")
        self.responses[made] = {
            "user": user,
            "channel": channel,
            "left": RESPONSES,
            "at": self.now(),
        }
        return made

    def whisper(self, user: str, channel: str, message: Json) -> str:
        """Show something to one person alone."""
        stamp = self.stamp()
        self.private.append({"ts": stamp, "user": user, "channel": channel, **message})
        del self.private[:-200]
        self.changed()
        return stamp

    def posted(self, channel: str = CHANNEL) -> Iterable[Json]:
        """Return every message of a channel, threads included, oldest first."""
        return tuple(self.messages.get(channel, {}).values())


def _channels() -> Iterable[tuple[str, Json]]:
    for id_, name, member in (
        (CHANNEL, "incidents", True),
        (ELSEWHERE, "elsewhere", False),
        ("C0STORE", "pet-store", True),
    ):
        yield (
            id_,
            {
                "id": id_,
                "name": name,
                "is_channel": True,
                "is_archived": False,
                "is_member": member,
                "is_private": False,
            },
        )
