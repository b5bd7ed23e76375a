"""`/petops incidents | show ID | ask QUESTION | chaos status`, answered to who asks alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from petops.errors import PetopsError
from petops.ports import Clock
from petops.slack import home
from petops.slack.blocks import card
from petops.slack.incoming import Typed
from petops.slack.look import Look
from petops.slack.mirror import Serves
from petops.slack.people import People
from petops.slack.text import Json, section

HELP: Final = (
    "`/petops incidents` what is open\n`/petops show INC-0001` one incident\n"
    "`/petops ask how much memory does checkout use?` a question to Prometheus\n"
    "`/petops chaos status` which faults are injected"
)
_MOST_LINES: Final = 40

Ask = Callable[[str], Awaitable[Sequence[str]]]


@dataclass(frozen=True, slots=True)
class Commands:
    """Answers slash commands. What asks Prometheus or the cluster is for people who are mapped."""

    engine: Serves
    people: People
    look: Look
    clock: Clock
    ask: Ask | None = None
    chaos: Callable[[], Awaitable[Sequence[str]]] | None = None

    async def __call__(self, typed: Typed) -> tuple[str, Sequence[Json]]:
        """Return a text, and blocks where there are some."""
        word, _, rest = typed.text.partition(" ")
        match word.casefold(), rest.strip():
            case ("incidents" | "list" | "", ""):
                return "open incidents", home.listed(await self.engine.board(), self.look)
            case ("show", wanted) if wanted:
                return await self._show(wanted)
            case ("ask", question) if question:
                await self.people.identity(typed.who)
                return await self._asked(question)
            case ("chaos", "status" | ""):
                await self.people.identity(typed.who)
                return await self._chaos()
            case _:
                return HELP, (section(HELP),)

    async def _show(self, wanted: str) -> tuple[str, Sequence[Json]]:
        board = await self.engine.board()
        found = board.incidents.get(wanted.upper())
        if found is None:
            return f"There is no incident {wanted[:40]}.", ()
        shown = [
            one
            for one in card(found, self.look, self.clock.now()).blocks
            if one["type"] != "actions"
        ]
        return found.id, shown

    async def _asked(self, question: str) -> tuple[str, Sequence[Json]]:
        if self.ask is None:
            return "No Prometheus is set.", ()
        try:
            lines = await self.ask(question[:500])
        except PetopsError as exc:
            return f"{exc.message} {exc.hint or ''}".strip(), ()
        return self._fenced(f"*{self.look.writer.said(question, 300)}*", lines)

    async def _chaos(self) -> tuple[str, Sequence[Json]]:
        if self.chaos is None:
            return "No cluster is set.", ()
        try:
            lines = await self.chaos()
        except PetopsError as exc:
            return f"{exc.message} {exc.hint or ''}".strip(), ()
        return self._fenced("*Faults at work*", lines or ("none",))

    def _fenced(self, head: str, lines: Sequence[str]) -> tuple[str, Sequence[Json]]:
        fence = self.look.writer.fence(lines[:_MOST_LINES], 2500)
        return head, (section(f"{head}\n{fence}"),)
