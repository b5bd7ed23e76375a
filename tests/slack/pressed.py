"""People who press, send and type in the lab's workspace, delivered without sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

from petops.lab.slack_acting import Acting
from petops.lab.slack_delivery import Delivery
from petops.lab.slack_workspace import CHANNEL, TEAM
from petops.playbooks import MODES
from petops.slack.commands import Commands
from petops.slack.incoming import read
from petops.slack.people import People
from petops.slack.surface import Surface
from tests.slack.played import LOOK, PEOPLE, STORY, MemorySlack, PlayedEngine, mirrored
from tests.virtual import VirtualClock


class Direct:
    """Delivers to the surface at once, as often as it is told to."""

    def __init__(self, surface: Surface) -> None:
        self.surface = surface
        self.sent: list[tuple[str, dict[str, Any]]] = []

    async def deliver(self, kind: str, payload: dict[str, Any]) -> dict[str, Any]:
        self.sent.append((kind, payload))
        incoming = read(kind, payload)
        if incoming is not None and self.surface.is_new(incoming):
            await self.surface.done(incoming)
        return {}


class Team:
    """A workspace with petops in it, up to some entry of the story."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.engine = PlayedEngine(clock.now)
        self.slack = MemorySlack(clock)
        self.said: list[str] = []
        people = People(self.slack, TEAM, PEOPLE, clock.now)

        async def ask(question: str) -> Sequence[str]:
            return (f"you asked: {question}",)

        async def chaos() -> Sequence[str]:
            return ("memory-leak on default/pets",)

        self.surface = Surface(
            engine=self.engine,
            slack=self.slack,
            people=people,
            look=LOOK,
            clock=clock,
            say=self.said.append,
            answer=Commands(self.engine, people, LOOK, clock, ask, chaos),
            modes=tuple(MODES),
        )
        self.direct = Direct(self.surface)
        self.acting = Acting(self.slack.workspace, cast("Delivery", self.direct), "http://lab")

    @property
    def card(self) -> dict[str, Any]:
        return self.slack.cards()[0]

    async def press(self, user: str, action: str, value: str = "", **where: Any) -> str:
        place = {"channel": CHANNEL, "ts": self.card["ts"], **where}
        return await self.acting.press(user, place, action, value)

    def told(self) -> str:
        """What was told to somebody alone, last."""
        private = [str(one["text"]) for one in self.slack.told]
        private += [str(one["text"]) for one in self.slack.workspace.private]
        return private[-1] if private else ""


@asynccontextmanager
async def team(until: int, clock: VirtualClock | None = None) -> AsyncIterator[Team]:
    """Play the story up to an entry, with the mirror at work."""
    made = Team(clock or VirtualClock())
    async with mirrored(made.engine, made.slack):
        await made.engine.play(STORY[:until])
        await made.clock.sleep(30)
        yield made
        await made.clock.sleep(10)
