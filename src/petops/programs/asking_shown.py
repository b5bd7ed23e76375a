"""An answer for people: a chart or a table, with the PromQL and what stands out under it."""

from __future__ import annotations

import math
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

from petops.mcp_server.insights import shown
from petops.mcp_server.questions import title
from petops.programs.printing import Printer, note, plain

MOST_ROWS: Final = 40
_CHART_HEIGHT: Final = 16
_BAR_WIDTH: Final = 24


def show(answer: Mapping[str, Any]) -> None:
    """Print an answer; why there is none goes to standard error, with what can be asked."""
    if answer["error"]:
        note(f"error: {answer['error']}")
        if answer.get("nearest"):
            note(f"hint: nearest are: {'; '.join(answer['nearest'])}")
        return
    printer = Printer()
    if answer["kind"] == "range":
        _chart(answer)
    else:
        _table(answer, printer)
    printer.say("")
    for insight in answer["insights"]:
        printer.say(f"- {insight}", "bold")
    printer.say(f"{answer['reading']}", "dim")
    printer.say(f"PromQL: {answer['promql']}", "dim")


def _table(answer: Mapping[str, Any], printer: Printer) -> None:
    """Print one row a series, with a bar where there are several."""
    rows = _rows(answer["result"])
    if not rows:
        printer.say("nothing passes that bound" if answer["resultType"] == "vector" else "no value")
        return
    width = max(len(name) for name, _ in rows)
    most = max((abs(value) for _, value in rows if math.isfinite(value)), default=0.0)
    for name, value in rows[:MOST_ROWS]:
        bar = ""
        if len(rows) > 1 and most and math.isfinite(value):
            bar = "▇" * round(_BAR_WIDTH * abs(value) / most)
        printer.say(f"{name:<{width}}  {shown(value, answer['unit']):>12}  {bar}".rstrip())
    if len(rows) > MOST_ROWS:
        printer.say(f"and {len(rows) - MOST_ROWS} more", "dim")


def _rows(result: Sequence[Any]) -> list[tuple[str, float]]:
    """Return names and values; a scalar is one pair."""
    if result and not isinstance(result[0], Mapping):
        return [("the total", float(result[1]))]
    return [(name_of(one["metric"]), float(one["value"][1])) for one in result if "value" in one]


def _chart(answer: Mapping[str, Any]) -> None:
    from petops.programs.charts import Curve, chart  # noqa: PLC0415 - plotext takes 170 ms

    curves = []
    for series in answer["result"]:
        points = [(float(t), float(v)) for t, v in series.get("values", ())]
        points = [(t, v) for t, v in points if math.isfinite(v)]
        if points:
            times, values = zip(*points, strict=True)
            curves.append(Curve(name_of(series["metric"]), times, values))
    size = shutil.get_terminal_size((80, 24))
    text = chart(
        curves,
        width=size.columns,
        height=min(_CHART_HEIGHT, max(6, size.lines - 8)),
        scale=lambda value: shown(value, answer["unit"]),
        colour=sys.stdout.isatty() and "NO_COLOR" not in os.environ,
    )
    sys.stdout.write(text + "\n")


def name_of(labels: Mapping[str, str]) -> str:
    """Return the name of a series, safe for a terminal."""
    name = title(labels)
    more = [labels[key] for key in ("measure", "quantile", "code", "status") if labels.get(key)]
    return plain(" ".join((name, *more)))
