"""Faults to practise with: inject one, watch it, take it back."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from petops.errors import PetopsError
from petops.tui.desk import Desk
from petops.tui.drawn import Heading, Paragraph
from petops.tui.feed import Feed, is_production
from petops.tui.given import Fault, Injected
from petops.tui.palette import Palette
from petops.tui.plain import fitted, wrapped
from petops.tui.screens.base import DeskScreen
from petops.tui.screens.confirm import Confirm, Question
from petops.tui.times import countdown
from petops.tui.widgets.row_list import RowList

_LOOK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class FaultRow:
    """One fault, and for how long it is still at work."""

    fault: Fault
    left: str

    is_choosable = True

    @property
    def key(self) -> str:
        return self.fault.name

    def tall(self, width: int) -> int:
        return 1 + len(wrapped(self.fault.summary, width - 2))

    def lines(self, width: int, paint: Palette) -> Sequence[Text]:
        head = Text.assemble((fitted(self.fault.name, 18), paint.strong))
        at_work = self.left or "○ not injected"
        head.append(at_work, paint.accent if self.left else paint.dim)
        head.append(f"  {self.fault.target}", paint.dim)
        head.truncate(width, overflow="ellipsis")
        summary = wrapped(self.fault.summary, width - 2)
        return head, *(Text("  " + one, paint.dim) for one in summary)

    def detail(self, width: int, paint: Palette) -> Sequence[Text]:
        del width, paint
        return ()


class FaultList(RowList):
    """Enter injects here, as `i` does: one of them in the line of keys is enough."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "choose", "Inject…", show=False)]


class ChaosScreen(DeskScreen):
    """Every fault has a time limit, and can be taken back."""

    title_words = "chaos"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("i", "inject", "Inject…"),
        Binding("c", "clean", "Take back…"),
        Binding("b", "app.board", "Watch on the board"),
    ]

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._faults: Sequence[Fault] = ()
        self._injected: Sequence[Injected] = ()
        self._trouble = ""

    def body(self) -> ComposeResult:
        yield FaultList(id="chaos-rows", chooses=True)

    def on_mount(self) -> None:
        self.query_one(RowList).focus()
        self.look()
        self.set_interval(_LOOK_SECONDS, self.look)

    @work(exclusive=True, group="look")
    async def look(self) -> None:
        """Ask which faults there are, and which are at work."""
        chaos = self.desk.given.chaos
        if chaos is None:
            self._trouble = self.desk.given.missing.get("chaos", "no cluster is at hand here")
            self.show()
            return
        try:
            if not self._faults:
                self._faults = await chaos.faults()
            self._injected = await chaos.status()
            self._trouble = ""
        except PetopsError as exc:
            self._trouble = exc.message
        self.show()

    def show(self) -> None:
        """Draw the faults."""
        now = self.desk.now()
        ends = {one.name: one.expires for one in self._injected}
        rows: list[Heading | Paragraph | FaultRow] = []
        if self._trouble:
            rows.append(Paragraph("trouble", self._trouble, "bad"))
        elif not self._faults:
            rows.append(Paragraph("asking", "asking the cluster …", "dim"))
        for fault in self._faults:
            expires = ends.get(fault.name)
            left = "● at work, no end known" if fault.name in ends else ""
            if expires and expires <= now:
                left = "◌ its time is up, c clears it away"
            elif expires:
                left = f"● at work, ends in {countdown((expires - now).total_seconds())}"
            rows.append(FaultRow(fault, left))
        self.query_one(RowList).show(rows)

    @property
    def _fault(self) -> Fault | None:
        row = self.query_one(RowList).cursor_row
        return row.fault if isinstance(row, FaultRow) else None

    @on(RowList.Chosen)
    def _row_chosen(self) -> None:
        self.action_inject()

    @work
    async def action_inject(self) -> None:
        """Inject the fault under the cursor, after a question."""
        fault, chaos = self._fault, self.desk.given.chaos
        if fault is None or chaos is None:
            return
        question = self._question(fault, "inject this fault", f"{fault.name}: {fault.summary}")
        if await self.app.push_screen_wait(Confirm(question)):
            await self._done(chaos.inject(fault.name))

    @work
    async def action_clean(self) -> None:
        """Take the fault under the cursor back, after a question."""
        fault, chaos = self._fault, self.desk.given.chaos
        if fault is None or chaos is None:
            return
        question = self._question(fault, "take this fault back", f"end {fault.name}")
        if await self.app.push_screen_wait(Confirm(question)):
            await self._done(chaos.clean(fault.name))

    def _question(self, fault: Fault, verb: str, summary: str) -> Question:
        """Return what is asked; it names the engine that follows this cluster, if one does."""
        feed, cluster = self._feed(fault), fault.target.cluster.name
        production = feed.is_production_of(cluster) if feed else is_production(cluster)
        return Question(
            verb=verb,
            summary=summary,
            subject=fault.target,
            engine=feed.name if feed else "none of these: no alarm of it will be seen here",
            production=production,
            word=fault.target.name if production else "yes",
        )

    def _feed(self, fault: Fault) -> Feed | None:
        feeds, cluster = self.desk.feeds, str(fault.target.cluster)
        found = next((one for one in feeds if one.cluster == cluster), None)
        return found or next((one for one in feeds if not one.cluster), None)

    async def _done(self, asked: Awaitable[str]) -> None:
        try:
            self.say(await asked)
        except PetopsError as exc:
            self.said(exc)
        self.look()
