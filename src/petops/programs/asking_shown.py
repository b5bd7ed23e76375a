"""An answer for people: what was understood, a chart or a table, and what stands out under it."""

from __future__ import annotations

import math
import os
import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, Final

from petops.mcp_server.insights import shown
from petops.mcp_server.questions import title
from petops.programs.printing import Printer, note, plain

MOST_ROWS: Final = 40
_CHART_HEIGHT: Final = 16
_MOST_DRAWN: Final = 6
_LONGEST_BAR: Final = 40
_NARROWEST: Final = 30
_SHORTEST_BAR: Final = 6
_SHORTEST_NAME: Final = 16
_VALUE_WIDTH: Final = 13


def show(answer: Mapping[str, Any]) -> None:
    """Print an answer; why there is none goes to standard error, with what can be asked."""
    if answer["error"]:
        note(f"error: {answer['error']}")
        if answer.get("nearest"):
            note(f"hint: nearest are: {'; '.join(answer['nearest'])}")
        return
    printer = Printer()
    width = shutil.get_terminal_size((80, 24)).columns
    heading, *notes = str(answer["reading"]).split("; ")
    printer.say(heading, "bold")
    printer.say("")
    if answer["kind"] == "range":
        _chart(answer, printer)
    else:
        _table(answer, printer, width)
    printer.say("")
    for insight in answer["insights"]:
        _say_wrapped(printer, insight, width, "• ", "yellow" if _is_finding(answer) else "")
    for one in notes:
        _say_wrapped(printer, one, width, "  ", "dim")
    printer.say(f"PromQL: {answer['promql']}", "dim")  # in one piece, to be copied


def _is_finding(answer: Mapping[str, Any]) -> bool:
    """Say whether the insights are of a curve, and so of something that happened."""
    return answer["kind"] == "range" and not _is_quiet(answer)


def _is_quiet(answer: Mapping[str, Any]) -> bool:
    """Say whether anomalies were looked for, and there are none."""
    return any(one.startswith("no anomaly") for one in answer["insights"])


def _say_wrapped(printer: Printer, text: str, width: int, lead: str, style: str) -> None:
    """Print text within the width, its further lines under the first."""
    for line in textwrap.wrap(
        text, max(_NARROWEST, width), initial_indent=lead, subsequent_indent="  "
    ):
        printer.say(line, style)


def _table(answer: Mapping[str, Any], printer: Printer, width: int) -> None:
    """Print one row a series, the highest first, with a bar where there are several."""
    rows = _rows(answer["result"])
    if not rows:
        printer.say("nothing passes that bound" if answer["resultType"] == "vector" else "no value")
        return
    if not str(answer["promql"]).startswith(("sort", "topk", "bottomk")):
        rows.sort(key=lambda row: -row[1] if math.isfinite(row[1]) else math.inf)
    room = max(_SHORTEST_NAME, width - _VALUE_WIDTH - _SHORTEST_BAR - 4)
    names = min(room, max(len(name) for name, _ in rows))
    bars = min(_LONGEST_BAR, width - names - _VALUE_WIDTH - 4)
    most = max((abs(value) for _, value in rows if math.isfinite(value)), default=0.0)
    for name, value in rows[:MOST_ROWS]:
        if not math.isfinite(value):
            printer.say(f"{_cut(name, names):<{names}}  {'no value':>{_VALUE_WIDTH}}", "dim")
            continue
        bar = _bar(abs(value) / most, bars) if len(rows) > 1 and most else ""
        figure = f"{shown(value, answer['unit']):>{_VALUE_WIDTH}}"
        printer.say(f"{_cut(name, names):<{names}}  {figure}  {bar}".rstrip())
    if len(rows) > MOST_ROWS:
        printer.say(f"and {len(rows) - MOST_ROWS} more", "dim")


def _bar(share: float, width: int) -> str:
    """Return a bar in eighths of a character, so that small differences are seen."""
    eighths = max(1, round(share * width * 8)) if share > 0 else 0
    whole, rest = divmod(eighths, 8)
    return "█" * whole + (" ▏▎▍▌▋▊▉"[rest] if rest else "")


def _cut(name: str, width: int) -> str:
    """Return a name without its middle, where it is too long: pods differ in their ends."""
    if len(name) <= width:
        return name
    end = (width - 1) // 2
    return f"{name[: width - 1 - end]}…{name[-end:]}"


def _rows(result: Sequence[Any]) -> list[tuple[str, float]]:
    """Return names and values; a scalar is one pair."""
    if result and not isinstance(result[0], Mapping):
        return [("the total", float(result[1]))]
    return [(name_of(one["metric"]), float(one["value"][1])) for one in result if "value" in one]


def _chart(answer: Mapping[str, Any], printer: Printer) -> None:
    from petops.programs.charts import Curve, chart  # noqa: PLC0415 - plotext takes 170 ms

    curves = []
    for series in answer["result"]:
        points = [(float(t), float(v)) for t, v in series.get("values", ())]
        points = [(t, v) for t, v in points if math.isfinite(v)]
        if points:
            times, values = zip(*points, strict=True)
            curves.append(Curve(name_of(series["metric"]), times, values))
    if not curves:
        printer.say("no value in that time")
        return
    if _is_quiet(answer) and len(curves) > _MOST_DRAWN:
        printer.say(f"{len(curves)} curves, none of which stands out")
        return
    wanted = _told_of(curves, answer)
    size = shutil.get_terminal_size((80, 24))
    text = chart(
        wanted,
        width=size.columns,
        height=min(_CHART_HEIGHT, max(6, size.lines - 8)),
        scale=lambda value: shown(value, answer["unit"]),
        colour=sys.stdout.isatty() and "NO_COLOR" not in os.environ,
    )
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
    if len(wanted) < len(curves) and len(wanted) <= _MOST_DRAWN:
        printer.say(f"  {len(curves) - len(wanted)} others, of which nothing is said", "dim")


def _told_of(curves: list[Any], answer: Mapping[str, Any]) -> list[Any]:
    """Return, of many curves, those that the insights name; all where they name none."""
    if len(curves) <= _MOST_DRAWN:
        return curves
    told = " ".join(answer["insights"])
    # An insight on a pod may name its workload.
    named = [one for one in curves if one.name in told or f"{one.name.rsplit('-', 2)[0]}:" in told]
    return named or curves


def name_of(labels: Mapping[str, str]) -> str:
    """Return the name of a series, safe for a terminal."""
    name = title(labels)
    more = [labels[key] for key in ("measure", "quantile", "code", "status") if labels.get(key)]
    return plain(" ".join((name, *more)))
