"""What is on offer, whole, and what becomes of it: decide, then watch it act and recover."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from petops.domain.change import Advice, Proposal
from petops.domain.incident import Incident
from petops.tui import offer
from petops.tui.desk import Desk
from petops.tui.feed import Ref
from petops.tui.palette import Palette, palette
from petops.tui.plain import plain, wrapped
from petops.tui.screens.deciding import Deciding
from petops.tui.widgets.rail import Rail
from petops.tui.wording import PHASES, state_words, workload


class ApprovalScreen(Deciding):
    """One change at a time. Approving and rejecting ask first, by name of cluster and target."""

    title_words = "decide"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "approve", "Approve…"),
        Binding("r", "reject", "Reject…"),
        Binding("G", "break_glass", "Break the glass…", show=False),
        Binding("S", "stop", "Stop the act…", show=False),
        Binding("right,l,n", "other(1)", "Next change", key_display="→"),
        Binding("left,h,p", "other(-1)", "Previous", show=False),
        Binding("j,down", "scroll(1)", "Down", show=False),
        Binding("k,up", "scroll(-1)", "Up", show=False),
        Binding("i", "incident", "Incident"),
        Binding("y", "copy", "Copy digest"),
    ]

    def __init__(self, desk: Desk, ref: Ref) -> None:
        self.title_words = f"decide {ref.incident}"
        super().__init__(desk)
        self.ref = ref
        self._digest = ""

    @property
    def chosen(self) -> Ref | None:
        return self.ref

    def body(self) -> ComposeResult:
        yield Static(id="approval-title")
        yield Rail()
        yield Static(id="approval-offers")
        with VerticalScroll(id="approval-scroll"):
            yield Static(id="approval-text")

    def on_mount(self) -> None:
        self.query_one("#approval-scroll", VerticalScroll).focus()

    def proposal(self, incident: Incident) -> Proposal | None:
        """Return the change that is looked at; after a decision the one that was chosen."""
        held = self._held(incident)
        found = next((one for one in held if one.digest == self._digest), None)
        return found or (held[0] if held else None)

    def idle(self) -> frozenset[str]:
        """Return what cannot be done: nothing is on offer, it is advice, or there is one only."""
        incident = self.desk.incident(self.ref)
        proposal = self.proposal(incident) if incident else None
        if incident is None or proposal is None:
            return frozenset({"approve", "reject", "other(1)", "copy"})
        stands = proposal in incident.on_offer
        able = {
            "approve": stands and not isinstance(proposal.change, Advice),
            "reject": stands,
            "other(1)": len(self._held(incident)) > 1,
        }
        return frozenset(action for action, is_able in able.items() if not is_able)

    @staticmethod
    def _held(incident: Incident) -> tuple[Proposal, ...]:
        if incident.on_offer:
            return incident.on_offer
        return (incident.chosen,) if incident.chosen is not None else incident.proposals

    def show(self) -> None:
        """Draw the change and how it fares."""
        incident = self.desk.incident(self.ref)
        if incident is None:
            return
        paint, now = palette(self.app.theme), self.desk.now()
        rail = self.query_one(Rail)
        rail.now, rail.incident = now, incident
        self.draw("#approval-title", self._title(incident, paint))
        held, looked_at = self._held(incident), self.proposal(incident)
        self._digest = looked_at.digest if looked_at else ""
        self.draw("#approval-offers", self._offers(held, paint), layout=True)
        scroll = self.query_one("#approval-scroll", VerticalScroll)
        width = max(24, scroll.scrollable_content_region.width or self.size.width - 6)
        lines = self._lines(incident, looked_at, min(width, 120), paint)
        self.draw("#approval-text", Text("\n").join(lines), layout=True)

    def _title(self, incident: Incident, paint: Palette) -> Text:
        wording = PHASES[incident.phase]
        text = Text(" ")
        if self._is_in_production(incident):
            text.append(" PRODUCTION ", paint.production)
            text.append(" ")
        words = state_words(incident, self.desk.now(), self.desk.times)
        text.append(f"{wording.sign} {words}", paint.tone(wording.tone))
        text.append(f"  {plain(workload(incident))}", paint.strong)
        text.truncate(max(1, self.size.width - 1), overflow="ellipsis")
        return text

    def _is_in_production(self, incident: Incident) -> bool:
        cluster = incident.alarm.cluster.name
        return self.desk.feed(self.ref.engine).is_production_of(cluster)

    def _offers(self, held: tuple[Proposal, ...], paint: Palette) -> Text:
        text = Text()
        for number, one in enumerate(held, start=1):
            is_here = one.digest == self._digest
            line = Text("▸ " if is_here else "  ", paint.accent)
            line.append_text(offer.head(one, number, max(10, self.size.width - 6), paint))
            text.append_text(line)
            if number < len(held):
                text.append("\n")
        return text

    def _lines(
        self, incident: Incident, proposal: Proposal | None, width: int, paint: Palette
    ) -> list[Text]:
        now, times = self.desk.now(), self.desk.times
        lines = offer.unread(incident, width, paint)
        lines += offer.progress(incident, now, times, width, paint)
        if lines:
            lines.append(Text())
        decided = offer.decisions(incident, times, width, paint)
        if decided:
            lines += [Text("who decided", paint.heading), *decided, Text()]
        if proposal is None:
            because = incident.ended_because or "nothing is on offer"
            return [*lines, *(Text(one, paint.dim) for one in wrapped(because, width))]
        stands = proposal in incident.on_offer
        lines += offer.whole(proposal, now, width, paint, stands=stands)
        for name, why in incident.withheld:
            lines += [Text(one, paint.dim) for one in wrapped(f"withheld: {name}, {why}", width)]
        return lines

    def action_other(self, step: int) -> None:
        """Look at another change on offer."""
        incident = self.desk.incident(self.ref)
        held = self._held(incident) if incident else ()
        digests = [one.digest for one in held]
        if self._digest in digests:
            self._digest = digests[(digests.index(self._digest) + step) % len(digests)]
            self.query_one("#approval-scroll", VerticalScroll).scroll_home(animate=False)
            self.show()

    def action_scroll(self, lines: int) -> None:
        """Scroll the change."""
        scroll = self.query_one("#approval-scroll", VerticalScroll)
        scroll.scroll_relative(y=lines, animate=False)

    def action_approve(self) -> None:
        """Approve the change that is looked at, after a question."""
        proposal = self._decidable()
        if proposal:
            self.approve(self.ref, proposal)

    def action_reject(self) -> None:
        """Reject the change that is looked at, with the reason."""
        proposal = self._decidable()
        if proposal:
            self.reject(self.ref, proposal)

    def action_break_glass(self) -> None:
        """Approve alone what needs two people, with a reason."""
        proposal = self._decidable()
        if proposal:
            self.break_glass(self.ref, proposal)

    def action_stop(self) -> None:
        """End the act under way, with a reason."""
        self.stop_act(self.ref)

    def _decidable(self) -> Proposal | None:
        incident = self.desk.incident(self.ref)
        proposal = self.proposal(incident) if incident else None
        if incident is None or proposal is None or proposal not in incident.on_offer:
            self.say("there is nothing to decide now", bad=True)
            return None
        return proposal

    def action_incident(self) -> None:
        """Go to the incident."""
        self.desk_app.open_incident(self.ref)

    def action_copy(self) -> None:
        """Copy the digest, as `petops approve` takes it."""
        if self._digest:
            self.app.copy_to_clipboard(self._digest)
            self.say("copied the digest")
