"""What windows without a fault look like from one target, and so what stands out from them.

Limits are quantiles of many windows cut from the normal period, since excess has no distribution
that is known: most nodes never fail, and some swing by seconds without anyone waiting for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import TypeVar

from petops.domain.call_graph import CallGraph, Symptom, Telemetry
from petops.errors import UsageError
from petops.playbooks.excess_contrast import Contrast, contrast
from petops.playbooks.excess_ledger import Call, Level, levels, open_ledger

K = TypeVar("K")

# What something exceeds in one normal window of forty is its limit ...
NODE_QUANTILE = 0.975
# ... but a node's is at least this, where requests failed: one of them says nothing.
ONE_REQUEST = 1.0
# A cause has at least so many times its limit. Rankings count what is beyond that.
LEAST_TIMES = 2.0
# A target that is no worse than in one normal window of four needs no cause ...
TARGET_QUANTILE = 0.75
# ... nor one whose worst row is this near to its normal latency: no alarm is set so close.
SLOWER_RATIO = 0.05
# A cause explains this much of the target's contrast. Less than half, since faults come in pairs.
LEAST_SHARE = 1 / 3
# The share of normal windows for which a cause may be named (they are not all without a fault).
NAMED_RATIO = 0.04
# Fewer windows than this have no such quantiles.
FEWEST_WINDOWS = 40
# More than this, evenly chosen, tell nothing new: neighbours overlap.
MOST_WINDOWS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What normal windows reach.

    Attributes:
        peak: The target's excess in its worst row, which a quarter of them exceed.
        calls: What each callee's excess means for a caller, which one of forty exceeds.
        nodes: What each node adds by itself, which one of forty exceeds.
    """

    peak: float
    calls: Mapping[Call, float]
    nodes: Mapping[str, float]

    def of(self, node: str) -> float:
        """Return the node's limit: the target's for a node that the normal period lacks."""
        return self.nodes.get(node, self.peak)

    def beyond(self, node: str, own: float | None) -> float:
        """Return how far `own` is beyond the node's limit; minus infinity if unmeasured."""
        return float("-inf") if own is None else own - LEAST_TIMES * self.of(node)

    def is_up(self, found: Contrast) -> bool:
        """Say whether the target is worse than usual, not merely restless."""
        return found.peak is not None and found.peak > self.peak

    def times(self, found: Contrast, own: Mapping[str, float | None]) -> float:
        """Return how many times its limit the first suspect has; 0 if it explains too little."""
        if found.target is None or not self.is_up(found):
            return 0.0
        first = max(own, key=lambda node: self.beyond(node, own[node]))
        value = own[first]
        if value is None or value < LEAST_SHARE * found.target:
            return 0.0
        limit = self.of(first)
        return value / limit if limit > 0 else float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class NormalRange:
    """What is normal, seen from one target, for windows of `rows` rows.

    Attributes:
        levels: Each node's normal level.
        windows: How many windows the limits were taken from.
        limits: What they reach.
        least_times: How many times its limit a cause must have, so that none is named in more
            than `NAMED_RATIO` of those windows, whatever the number of nodes (the quantile of the
            largest statistic: Westfall and Young 1993).
    """

    graph: CallGraph
    target: str
    symptom: Symptom
    rows: int
    levels: Mapping[str, Level]
    windows: int
    limits: Limits
    least_times: float

    @property
    def is_enough(self) -> bool:
        """Whether there were windows enough to know what is normal."""
        return self.windows >= FEWEST_WINDOWS

    def contrast(self, window: Telemetry) -> Contrast:
        """Return the contrasts of one window."""
        ledger = open_ledger(self.graph, window, self.target, self.symptom, self.levels)
        return contrast(ledger, 0, window.rows)


def learn(
    graph: CallGraph, normal: Telemetry, target: str, symptom: Symptom, *, rows: int
) -> NormalRange:
    """Learn from fault-free telemetry what windows of `rows` rows look like from `target`.

    Args:
        graph: Who calls whom.
        normal: Any number of rows, of the same length as those of the windows to be judged. With
            fewer than 40 windows every one is refused a cause.
        target: The node that the alarm is at; a node of the graph.
        symptom: What the alarm is about.
        rows: How many rows the windows to be judged have.

    Raises:
        UsageError: `target` is no node of the graph, or `rows` is not positive.
    """
    if target not in graph.callees or rows < 1:
        raise UsageError(
            f"{target[:80]!r} is not in the call graph, or {rows} rows are no window",
            hint="name the node as the service graph does",
        )
    usual = levels(graph, normal, symptom)
    ledger = open_ledger(graph, normal, target, symptom, usual)
    starts = range(max(0, normal.rows - rows + 1))
    stride = max(1, -(-len(starts) // MOST_WINDOWS))
    found = [contrast(ledger, start, start + rows) for start in starts[::stride]]
    windows = [one for one in found if one.target is not None]
    limits, own = _limits(windows, symptom, usual[target])
    times = [limits.times(one, parts) for one, parts in zip(windows, own, strict=True)]
    return NormalRange(
        graph=graph,
        target=target,
        symptom=symptom,
        rows=rows,
        levels=usual,
        windows=len(windows),
        limits=limits,
        least_times=max(LEAST_TIMES, _quantile(times, 1 - NAMED_RATIO)),
    )


def _floor(symptom: Symptom, target: Level) -> float:
    """Return the least excess of a row at the target that can be worth an alarm."""
    if symptom is Symptom.ERRORS:
        return ONE_REQUEST
    return SLOWER_RATIO * (target.cost or 0.0) * (target.requests or 0.0)


def _limits(
    windows: Sequence[Contrast], symptom: Symptom, target: Level
) -> tuple[Limits, Sequence[Mapping[str, float | None]]]:
    """Take the limits, and return what each node adds by itself in each window too.

    Calls' and nodes' limits leave out the windows that may hold a fault of their own: those in
    which the target was worst, as many as a limit leaves out.
    """
    peaks = [one.peak for one in windows if one.peak is not None]
    worst = _quantile(peaks, NODE_QUANTILE)
    is_kept = [one.peak is not None and one.peak <= worst for one in windows]
    calls = _reached([one.charged for one in compress(windows, is_kept)], 0.0)
    own = [one.own(calls) for one in windows]
    least = ONE_REQUEST if symptom is Symptom.ERRORS else 0.0
    limits = Limits(
        peak=max(_floor(symptom, target), _quantile(peaks, TARGET_QUANTILE)),
        calls=calls,
        nodes=_reached(list(compress(own, is_kept)), least),
    )
    return limits, own


def _reached(windows: Sequence[Mapping[K, float | None]], least: float) -> dict[K, float]:
    """Return the limit of each key that was measured, `least` or more."""
    values: dict[K, list[float]] = {}
    for window in windows:
        for key, value in window.items():
            if value is not None:
                values.setdefault(key, []).append(value)
    return {key: max(least, _quantile(found, NODE_QUANTILE)) for key, found in values.items()}


def _quantile(values: Sequence[float], ratio: float) -> float:
    """Return the smallest value that a share of `ratio` does not exceed; 0 without values."""
    return sorted(values)[round(ratio * (len(values) - 1))] if values else 0.0
