"""Request counters of pods as rows of a call graph's services: what localisation reads. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from petops.domain.call_graph import NodeSeries, Telemetry
from petops.domain.evidence import Sample, Series

ROW: Final = timedelta(minutes=1)
# Two looks farther apart than this do not say in which row it happened.
_GAP: Final = timedelta(minutes=3)

_Row = list[float | None]


@dataclass(frozen=True, kw_only=True)
class Counted:
    """Counters of one namespace's pods: requests (by code), and their seconds and number."""

    service_of: Callable[[str], str]
    requests: Sequence[Series]
    seconds: Sequence[Series]
    durations: Sequence[Series]


def telemetry(counted: Iterable[Counted], end: datetime, rows: int) -> Telemetry:
    """Return what each service showed in each row before `end`; what was not counted is None."""
    requests: dict[str, _Row] = defaultdict(lambda: [None] * rows)
    failed: dict[str, _Row] = defaultdict(lambda: [None] * rows)
    seconds: dict[str, _Row] = defaultdict(lambda: [None] * rows)
    number: dict[str, _Row] = defaultdict(lambda: [None] * rows)
    for one in counted:
        grid = _Grid(one.service_of, end, rows)
        grid.add(requests, one.requests)
        grid.add(failed, [each for each in one.requests if _is_failure(each)])
        grid.add(seconds, one.seconds)
        grid.add(number, one.durations)
    nodes = {
        name: NodeSeries(
            requests=tuple(requests[name] if name in requests else number[name]),
            latency_seconds=_shares(seconds.get(name), number.get(name)),
            error_ratio=_shares(failed[name], requests[name], none=0.0) if name in requests else (),
        )
        for name in {*requests, *number}
    }
    return Telemetry(rows=rows, nodes=nodes)


class _Grid:
    """Lays the rises of counters into rows."""

    def __init__(self, service_of: Callable[[str], str], end: datetime, rows: int) -> None:
        self._service_of, self._rows = service_of, rows
        self._start = end - rows * ROW

    def add(self, into: dict[str, _Row], series: Iterable[Series]) -> None:
        """Add each rise to the row in which it ended."""
        every = [one for one in series if one.samples]
        first: dict[str, datetime] = {}
        for one in every:
            pod = one.label("pod")
            first[pod] = min(first.get(pod, one.samples[0].at), one.samples[0].at)
        for one in every:
            service = self._service_of(one.label("pod"))
            if service:
                for at, amount in _rises(one.samples, first[one.label("pod")]):
                    self._put(into[service], at, amount)

    def _put(self, row: _Row, at: datetime, amount: float) -> None:
        place = int((at - self._start) / ROW)
        if at >= self._start and place < self._rows:
            row[place] = (row[place] or 0.0) + amount


def _rises(samples: Sequence[Sample], known_since: datetime) -> Iterable[tuple[datetime, float]]:
    """Yield how much a counter rose until when; one that fell began anew.

    A series that begins after others of its pod began at zero: its first failure, say.
    """
    if samples[0].at > known_since:
        yield samples[0].at, samples[0].value
    for a, b in pairwise(samples):
        if b.at - a.at <= _GAP:
            yield b.at, b.value - a.value if b.value >= a.value else b.value


def _is_failure(series: Series) -> bool:
    code = series.label("code") or series.label("status") or series.label("status_code")
    return code.startswith("5")


def _shares(
    part: Sequence[float | None] | None,
    whole: Sequence[float | None] | None,
    none: float | None = None,
) -> tuple[float | None, ...]:
    """Divide row by row; a part that was not counted is `none`."""
    if part is None or whole is None:
        return ()
    return tuple(
        None if not total or (some is None and none is None) else (some or 0.0) / total
        for some, total in zip(part, whole, strict=True)
    )
