"""The panes that tell an incident's story, each as rows; one of them is seen at a time."""

from __future__ import annotations

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
    yield "trace", trace_rows(latest(incident, SlowTraces), times)
    yield "calls", call_rows(latest(incident, ServiceMap), latest(incident, TroubleSpot))
    yield "logs", line_rows(incident, times)
    yield "runbook", runbook_rows(incident.runbooks)


def culprit(rows: Sequence[Drawn]) -> str:
    """Return the key of the row to look at first: the guilty bar, the suspect; else nothing."""
    for row in rows:
        if (isinstance(row, BarRow) and row.is_guilty) or (
            isinstance(row, CallRow) and row.is_suspect
        ):
            return row.key
    return ""
