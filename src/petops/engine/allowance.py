"""What one investigation may read: samples, bytes of logs, traces. Counted over all of its steps.

What lies beyond is not asked for: the step has no answer, its reason says so, and the verdict is
given with what there is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from petops.domain.evidence import Asked, PodScope, Readings, Signal, Window
from petops.domain.traces import LogLine, ServiceGraph, Trace, TraceSummary, Wanted
from petops.errors import SourceError
from petops.ports import Logs, Metrics, Told, Traces

USED_UP = "budget used up"


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """The most that one investigation reads."""

    samples: int = 2_000_000
    log_bytes: int = 4 * 1024 * 1024
    traces: int = 200


@dataclass(slots=True)
class Spent:
    """How much of an allowance is left. One investigation has one, in all of its rounds."""

    allowance: Allowance
    samples: int = 0
    log_bytes: int = 0
    traces: int = 0

    def left(self, what: str) -> int:
        """Return how much may still be read; raise SourceError if nothing."""
        most: int = getattr(self.allowance, what)
        left: int = most - getattr(self, what)
        if left <= 0:
            words = what.replace("_", " ")
            raise SourceError(
                f"{USED_UP}: this investigation may read {most:,} {words}",
                hint=f"engine.most_{what} raises it",
            )
        return left


class MeteredMetrics:
    """`Metrics` within an allowance."""

    def __init__(self, metrics: Metrics, spent: Spent) -> None:
        self._metrics, self._spent = metrics, spent

    async def read(self, signal: Signal, scope: PodScope, window: Window) -> Readings:
        """Return one series a container, unless the allowance is used up."""
        self._spent.left("samples")
        found = await self._metrics.read(signal, scope, window)
        self._spent.samples += sum(len(one.samples) for one in found.series)
        return found


class MeteredTraces:
    """`Traces` within an allowance; those in brief and graphs are free.

    What was read once is not asked for again: a second round looks at the same time.
    """

    def __init__(self, traces: Traces, spent: Spent) -> None:
        self._traces, self._spent = traces, spent
        self._graphs: dict[Window, Told[ServiceGraph]] = {}
        self._whole: dict[str, Trace] = {}

    async def find(self, wanted: Wanted, window: Window) -> Told[tuple[TraceSummary, ...]]:
        """Return requests in brief."""
        return await self._traces.find(wanted, window)

    async def whole(self, ids: Sequence[str]) -> Told[tuple[Trace, ...]]:
        """Return as many whole requests as may still be read."""
        wanted = [one for one in dict.fromkeys(ids) if one not in self._whole]
        asked: tuple[Asked, ...] = ()
        if wanted:
            wanted = wanted[: self._spent.left("traces")]
            self._spent.traces += len(wanted)
            told = await self._traces.whole(wanted)
            self._whole |= {one.id: one for one in told.value}
            asked = told.asked
        found = tuple(self._whole[one] for one in ids if one in self._whole)
        return Told(value=found, asked=asked)

    async def graph(self, window: Window) -> Told[ServiceGraph]:
        """Return who called whom."""
        if window not in self._graphs:
            self._graphs[window] = await self._traces.graph(window)
        return self._graphs[window]


class MeteredLogs:
    """`Logs` within an allowance: lines that go beyond it are left out."""

    def __init__(self, logs: Logs, spent: Spent) -> None:
        self._logs, self._spent = logs, spent

    async def lines(
        self, scope: PodScope, window: Window, *, containing: str = "", limit: int = 200
    ) -> Told[tuple[LogLine, ...]]:
        """Return lines of some pods, newest first, as many as may still be read."""
        self._spent.left("log_bytes")
        found = await self._logs.lines(scope, window, containing=containing, limit=limit)
        kept = []
        for one in found.value:
            self._spent.log_bytes += len(one.text.encode(errors="replace"))
            if self._spent.log_bytes > self._spent.allowance.log_bytes:
                break
            kept.append(one)
        return Told(value=tuple(kept), asked=found.asked)
