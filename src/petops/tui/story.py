"""The panes that tell an incident's story, each as rows; one of them is seen at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from petops.domain.incident import Incident
from petops.domain.tracing import ServiceMap, SlowTraces, TroubleSpot
from petops.tui.calls import CallRow, call_rows
from petops.tui.drawn import Drawn
from petops.tui.lines import line_rows
from petops.tui.plots import latest
from petops.tui.runbook import runbook_rows
from petops.tui.times import Times
from petops.tui.waterfall import BarRow, trace_rows

STORY: Final = ("timeline", "trace", "calls", "logs", "runbook")

EMPTY: Final[Mapping[str, str]] = {
    "timeline": "nothing has happened yet",
    "trace": "no slow request was read for this incident",
    "calls": "who calls whom was not read for this incident",
    "logs": "no event and no log line was read for this incident",
    "runbook": "no runbook of your organisation is about this cause",
}


def story_rows(incident: Incident, times: Times) -> Iterator[tuple[str, Sequence[Drawn]]]:
    """Yield the rows of every pane but the timeline, which tells each entry only once."""
    slow: SlowTraces | None = latest(incident, SlowTraces)
    spot: TroubleSpot | None = latest(incident, TroubleSpot)
    yield "trace", trace_rows(slow, times)
    yield "calls", call_rows(latest(incident, ServiceMap), spot, guilty(slow))
    yield "logs", line_rows(incident, times)
    yield "runbook", runbook_rows(incident.runbooks)


def guilty(slow: SlowTraces | None) -> str:
    """Return the service that most of the slow requests waited for; else nothing."""
    bars = [one.guilty_bar for one in slow.waterfalls] if slow else []
    most = Counter(one.service for one in bars if one is not None).most_common(1)
    return most[0][0] if most and most[0][1] * 2 > len(bars) else ""


def culprit(rows: Sequence[Drawn]) -> str:
    """Return the key of the row to look at first: the guilty bar, the suspect; else nothing."""
    for row in rows:
        if (isinstance(row, BarRow) and row.is_guilty) or (
            isinstance(row, CallRow) and row.is_suspect
        ):
            return row.key
    return ""
