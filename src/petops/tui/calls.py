"""Who calls whom as a tree of rows, the suspect marked in its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from rich.text import Text

from petops.domain.traces import ServiceEdge
from petops.domain.tracing import MapNode, ServiceMap, TroubleSpot
from petops.tui.drawn import Heading, Paragraph, labelled
from petops.tui.palette import Palette
from petops.tui.plain import fitted, plain
from petops.tui.waterfall import took

_MOST_ROWS: Final = 400
_NARROW: Final = 64
_BAD_RATIO: Final = 0.01
_MOST_RANKS: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRow:
    """One service below the one that calls it. `is_repeated` where it stands above already."""

    key: str
    node: MapNode
    edges: tuple[ServiceEdge, ...]
    branch: str
    is_suspect: bool
    is_alarmed: bool
    is_repeated: bool

    is_choosable = True

    def tall(self, width: int) -> int:
        del width
        return 1

    def lines(self, width: int, paint: Palette) -> Sequence[Text]:
        node = self.node
        text = Text(self.branch, paint.faint)
        sign, tone = "●", "good"
        if self.is_suspect:
            sign, tone = "▶", "bad"
        elif failed_ratio(node) > _BAD_RATIO:
            sign, tone = "!", "warn"
        text.append(f"{sign} ", paint.tone(tone))
        text.append(
            plain(node.service), paint.strong + paint.bad if self.is_suspect else paint.text
        )
        if self.is_suspect:
            text.append("  suspect", paint.bad)
        if self.is_alarmed:
            text.append("  the alarm's", paint.accent)
        if self.is_repeated:
            text.append("  as above", paint.faint)
        figures = self._figures(width)
        text.truncate(max(8, width - len(figures) - 1), overflow="ellipsis")
        text.append(" " * max(1, width - text.cell_len - len(figures)))
        text.append(figures, paint.dim)
        return (text,)

    def _figures(self, width: int) -> str:
        node = self.node
        own = took(node.own_seconds) if node.own_seconds is not None else "-"
        if width < _NARROW:
            return f"{own:>8}"
        was = took(node.before_own_seconds) if node.before_own_seconds is not None else "-"
        bad = failed_ratio(node)
        shown = f"{bad:>5.0%} bad" if bad >= _BAD_RATIO else " " * 9
        return f"{node.requests:>7} req {own:>8} own, was {was:>7}{shown}"

    def detail(self, width: int, paint: Palette) -> Sequence[Text]:
        node = self.node
        lines = labelled("runs in", node.kind, width, paint) if node.kind else []
        lines += labelled(
            "lately", _told(node.requests, node.mean_seconds, node.faults), width, paint
        )
        was = _told(node.before_requests, node.before_mean_seconds, node.before_faults)
        lines += labelled("before", was, width, paint)
        for edge in self.edges:
            told = _told(edge.requests, edge.mean_seconds, edge.faults)
            lines += labelled("calls", f"{edge.callee}: {told}", width, paint)
        return [*lines, Text()]


def _told(requests: int, mean_seconds: float | None, faults: int) -> str:
    mean = f", {took(mean_seconds)} each" if mean_seconds is not None else ""
    return f"{requests} requests{mean}, {faults} failed"


def failed_ratio(node: MapNode) -> float:
    """Return which share of a service's requests failed."""
    return node.faults / node.requests if node.requests else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tree:
    """What is needed to draw a service below another."""

    nodes: Mapping[str, MapNode]
    edges: Mapping[str, tuple[ServiceEdge, ...]]
    alarmed: str
    suspects: frozenset[str]
    drawn: set[str] = field(default_factory=set)

    def row(self, name: str, branch: str, key: str) -> CallRow:
        return CallRow(
            key=key,
            node=self.nodes[name],
            edges=self.edges.get(name, ()),
            branch=branch,
            is_suspect=name in self.suspects,
            is_alarmed=name == self.alarmed,
            is_repeated=name in self.drawn,
        )

    def below(self, name: str, branch: str = "", lead: str = "call") -> Iterator[CallRow]:
        """Yield a service and what it calls, whoever takes most time first."""
        key = f"{lead}/{name}"
        yield self.row(name, branch, key)
        if name in self.drawn:
            return
        self.drawn.add(name)
        called = [one.callee for one in self.edges.get(name, ()) if one.callee in self.nodes]
        called = [one for one in dict.fromkeys(called) if one != name]
        stem = branch.replace("├─", "│ ").replace("└─", "  ")
        for index, one in enumerate(called):
            turn = "└─" if index == len(called) - 1 else "├─"
            yield from self.below(one, f"{stem}{turn}", key)


CallsRow = CallRow | Heading | Paragraph


def call_rows(
    found: ServiceMap | None, spot: TroubleSpot | None, guilty: str = ""
) -> list[CallsRow]:
    """Return whom the readings point at, then the graph as a tree from those whom nobody calls.

    `guilty` is the service that slow requests waited for: the suspect where no readings say one.
    """
    rows: list[CallsRow] = []
    if spot is not None:
        words = f"▶ {spot.cause}: {spot.why}" if spot.cause else spot.why
        rows.append(Paragraph("spot", words, "bad" if spot.cause else "dim"))
        rows += [
            Paragraph(f"rank-{number}", _rank(one.service, one.share_ratio), "dim")
            for number, one in enumerate(spot.ranking[:_MOST_RANKS])
            if one.share_ratio is not None
        ]
    elif guilty:
        words = f"▶ {guilty}: most slow requests spent their time there"
        rows.append(Paragraph("spot", words, "bad"))
    if found is None:
        return rows
    suspect = (spot.cause if spot else None) or guilty
    edges: dict[str, list[ServiceEdge]] = {}
    for edge in sorted(found.edges, key=lambda one: -one.total_seconds):
        edges.setdefault(edge.caller, []).append(edge)
    tree = _Tree(
        nodes={one.service: one for one in found.nodes},
        edges={name: tuple(held) for name, held in edges.items()},
        alarmed=found.alarmed,
        suspects=frozenset({suspect} - {""}),
    )
    called = {one.callee for one in found.edges if one.callee != one.caller}
    for one in found.nodes:
        if one.service not in called:
            rows += tree.below(one.service)
    for one in found.nodes:  # what is left is called in a circle
        if one.service not in tree.drawn:
            rows += tree.below(one.service)
    if len(rows) > _MOST_ROWS:
        rows = [*rows[:_MOST_ROWS], Paragraph("more", f"{len(found.nodes)} services in all", "dim")]
    return rows


def _rank(service: str, share_ratio: float | None) -> str:
    cells = max(0, min(20, round((share_ratio or 0.0) * 20)))
    return f"  {fitted(service, 28)} {'▰' * cells}{'▱' * (20 - cells)} {share_ratio or 0.0:>4.0%}"
