"""Scores the localisation of petops on the PetShop format: real incidents of a real application.

PetShop (Hardt et al., CLeaR 2024, arXiv 2311.04806, CC-BY-4.0) is not part of petops. `--data DIR`
names a folder with `<traffic>/graph.csv`, `<traffic>/noissue/metrics.csv` and
`<traffic>/<part>/issue_N/{metrics.csv,target.json}`. Nothing else is read.

Forced: is the true node first (top-1), or among the first three (top-3). With leave to refuse: is
it the one that is named (a refusal is a miss); and of how many windows cut from the fault-free rows
is no cause named. Those windows do not overlap; each fifth of the rows is judged by what was
learned from the other four.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any

from petops.domain.call_graph import CallGraph, NodeSeries, Series, Symptom, Telemetry
from petops.playbooks.localisation import Localisation, learn, localise
from petops.playbooks.normal_range import NormalRange
from petops.programs.calibration import Told, calibrated

FOLDS = 5
HEADER_ROWS = 3
# The rows of an issue that were cut before its alarm.
BEFORE = 2
# What is counted, and of what it is a share.
COUNTS = {
    "issues": "",
    "top1": "issues",
    "top3": "issues",
    "named_right": "issues",
    "named_wrong": "issues",
    "fault_free": "",
    "quiet": "fault_free",
}
QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
SYMPTOMS = {"latency": Symptom.LATENCY, "availability": Symptom.ERRORS}
HOW_TO_GET_IT = (
    "no data: clone https://github.com/amazon-science/petshop-root-cause-analysis and give its "
    "dataset folder as --data DIR"
)


@dataclass(frozen=True, kw_only=True)
class Issue:
    """One window. `root_cause` is None where there was no fault."""

    name: str
    target: str
    metric: str
    root_cause: str | None
    window: Telemetry


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """One load on the application: its graph, its fault-free rows, and its issues."""

    name: str
    graph: CallGraph
    normal: Telemetry
    issues: tuple[Issue, ...]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures as a table, or as JSON."""
    parser = argparse.ArgumentParser(description="Score petops' localisation on PetShop.")
    parser.add_argument("--data", type=Path, help="folder of the PetShop format")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    if options.data is None:
        return _skipped(HOW_TO_GET_IT)
    if not any(options.data.glob("*/graph.csv")):
        return _skipped(f"{options.data} holds no PetShop data: no */graph.csv in it")
    began = time.perf_counter()
    figures = score(load(options.data))
    figures["seconds"] = round(time.perf_counter() - began, 2)
    sys.stdout.write((json.dumps(figures, indent=2) if options.json else table(figures)) + "\n")
    return 0


def _skipped(why: str) -> int:
    sys.stdout.write(json.dumps({"skipped": why}) + "\n")
    return 0


def load(data: Path) -> list[Traffic]:
    """Read all traffic levels under `data`."""
    return [
        Traffic(
            name=path.parent.name,
            graph=read_graph(path),
            normal=read_metrics(path.parent / "noissue" / "metrics.csv"),
            issues=tuple(
                read_issue(target) for target in sorted(path.parent.glob("*/issue_*/target.json"))
            ),
        )
        for path in sorted(data.glob("*/graph.csv"))
    ]


def read_graph(path: Path) -> CallGraph:
    """Read an adjacency matrix: rows call columns."""
    with path.open(encoding="utf-8", newline="") as lines:
        (_, *columns), *rows = csv.reader(lines)
    calls = [
        (row[0], column)
        for row in rows
        for column, cell in zip(columns, row[1:], strict=True)
        if _number(cell)
    ]
    return CallGraph.of(calls, nodes=columns)


def read_issue(path: Path) -> Issue:
    """Read one issue's alarm, truth and rows."""
    document = json.loads(path.read_text(encoding="utf-8"))
    return Issue(
        name=f"{path.parent.parent.name}/{path.parent.name}",
        target=document["target"]["node"],
        metric=document["target"]["metric"],
        root_cause=(document.get("root_cause") or {}).get("node"),
        window=read_metrics(path.parent / "metrics.csv"),
    )


def read_metrics(path: Path) -> Telemetry:
    """Read rows of metrics; three header rows name each column's node, metric and statistic."""
    with path.open(encoding="utf-8", newline="") as lines:
        table_ = list(csv.reader(lines))
    header, body = table_[:HEADER_ROWS], table_[HEADER_ROWS:]
    rows = [row for row in body if row and _number(row[0]) is not None]
    columns = list(zip(*rows, strict=True))
    nodes: dict[str, dict[tuple[str, str], Series]] = {}
    for index, (node, metric, statistic) in enumerate(zip(*header, strict=True)):
        if index:
            series = tuple(map(_number, columns[index])) if columns else ()
            nodes.setdefault(node, {})[metric, statistic] = series
    return Telemetry(rows=len(rows), nodes={node: _series(found) for node, found in nodes.items()})


def _number(cell: str) -> float | None:
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if isfinite(value) else None


def _series(found: Mapping[tuple[str, str], Series]) -> NodeSeries:
    return NodeSeries(
        requests=found.get(("requests", "Sum"), ()),
        latency_seconds=found.get(("latency", "Average"), ()),
        latency_quantile_seconds={
            ratio: found["latency", statistic]
            for statistic, ratio in QUANTILES.items()
            if ("latency", statistic) in found
        },
        error_ratio=tuple(
            None if percent is None else 1 - percent / 100
            for percent in found.get(("availability", "Average"), ())
        ),
    )


def score(levels: Sequence[Traffic]) -> dict[str, Any]:
    """Return all figures: by scenario, together, and the same under other conditions."""
    told: list[Told] = []
    scenarios = [
        scenario(traffic, metric, told)
        for traffic in levels
        for metric in SYMPTOMS
        if any(issue.metric == metric for issue in traffic.issues)
    ]
    return {
        "scenarios": [{**named, **ratios(counts)} for named, counts in scenarios],
        "all": ratios(sum((counts for _, counts in scenarios), Counter())),
        "calibration": calibrated(told),
        "other_conditions": {
            name: ratios(judged(retold)) for name, retold in other_conditions(levels).items()
        },
    }


def ratios(counts: Counter[str]) -> dict[str, Any]:
    """Return the counts that there are, and what they are of their kind."""
    found: dict[str, Any] = {name: counts[name] for name in COUNTS}
    for name, of in COUNTS.items():
        if of and counts[of]:
            found[f"{name}_ratio"] = round(counts[name] / counts[of], 3)
    return found


def scenario(
    traffic: Traffic, metric: str, told: list[Told] | None = None, folds: int = FOLDS
) -> tuple[dict[str, str], Counter[str]]:
    """Count one traffic level's issues with one metric, and what its fault-free rows give.

    What was named is added to `told`, with how sure it was.
    """
    issues = tuple(issue for issue in traffic.issues if issue.metric == metric)
    counts = judged([replace(traffic, issues=issues)], told)
    for target, rows in sorted({(issue.target, issue.window.rows) for issue in issues}):
        for normal, window in fault_free(traffic, target, SYMPTOMS[metric], rows, folds):
            counts["fault_free"] += 1
            found = localise(normal, window)
            counts["quiet"] += found.cause is None
            if told is not None and found.cause is not None:
                told.append(Told(confidence=found.confidence, is_right=False))
    return {"scenario": f"{traffic.name} {metric}"}, counts


def judged(levels: Iterable[Traffic], told: list[Told] | None = None) -> Counter[str]:
    """Count what becomes of all issues, each against all fault-free rows of its level."""
    counts: Counter[str] = Counter()
    for traffic in levels:
        known: dict[tuple[str, str, int], NormalRange] = {}
        for issue in traffic.issues:
            key = (issue.target, issue.metric, issue.window.rows)
            if key not in known:
                known[key] = learn(
                    traffic.graph,
                    traffic.normal,
                    issue.target,
                    SYMPTOMS[issue.metric],
                    rows=issue.window.rows,
                )
            found = localise(known[key], issue.window)
            counts.update(_verdict(found, issue))
            if told is not None and found.cause is not None:
                is_right = found.cause == issue.root_cause
                told.append(Told(confidence=found.confidence, is_right=is_right))
    return counts


def _verdict(found: Localisation, issue: Issue) -> dict[str, int]:
    if issue.root_cause is None:
        return {"fault_free": 1, "quiet": found.cause is None}
    names = [suspect.node for suspect in found.ranking]
    return {
        "issues": 1,
        "top1": names[0] == issue.root_cause,
        "top3": issue.root_cause in names[:3],
        "named_right": found.cause == issue.root_cause,
        "named_wrong": found.cause not in {None, issue.root_cause},
    }


def fault_free(
    traffic: Traffic, target: str, symptom: Symptom, rows: int, folds: int
) -> Iterator[tuple[NormalRange, Telemetry]]:
    """Cut windows from the fault-free rows, each with what the other folds teach."""
    normal = traffic.normal
    for fold in range(folds):
        first, last = fold * normal.rows // folds, (fold + 1) * normal.rows // folds
        rest = joined(normal.between(0, first), normal.between(last, normal.rows))
        known = learn(traffic.graph, rest, target, symptom, rows=rows)
        for start in range(first, last - rows + 1, rows):
            yield known, normal.between(start, start + rows)


def joined(before: Telemetry, after: Telemetry) -> Telemetry:
    """Put the rows of `after` behind those of `before`; both know the same nodes and series."""
    return Telemetry(
        rows=before.rows + after.rows,
        nodes={name: _joined(one, after.of(name)) for name, one in before.nodes.items()},
    )


def _joined(before: NodeSeries, after: NodeSeries) -> NodeSeries:
    return NodeSeries(
        requests=before.requests + after.requests,
        latency_seconds=before.latency_seconds + after.latency_seconds,
        latency_quantile_seconds={
            at: series + after.latency_quantile_seconds[at]
            for at, series in before.latency_quantile_seconds.items()
        },
        error_ratio=before.error_ratio + after.error_ratio,
    )


def other_conditions(levels: Sequence[Traffic]) -> dict[str, list[Traffic]]:
    """Return the same issues with other names, with less to go by, and with foreign normal rows."""
    turned = [*levels[1:], *levels[:1]]
    half = [traffic.normal.rows // 2 for traffic in levels]
    return {
        "other names, other order": [_renamed(traffic) for traffic in levels],
        "normal rows of another traffic level": [
            replace(traffic, normal=other.normal)
            for traffic, other in zip(levels, turned, strict=True)
        ],
        "first half of the normal rows": [
            replace(traffic, normal=traffic.normal.between(0, middle))
            for traffic, middle in zip(levels, half, strict=True)
        ],
        "second half of the normal rows": [
            replace(traffic, normal=traffic.normal.between(middle, traffic.normal.rows))
            for traffic, middle in zip(levels, half, strict=True)
        ],
        "no rows before the alarm": [
            _with_windows(one, lambda window: window.between(BEFORE, window.rows)) for one in levels
        ],
        "quantiles of latency, no means": [_each_node(one, _without_means) for one in levels],
    }


def _renamed(traffic: Traffic) -> Traffic:
    """Give every node a number for a name, and turn every order round."""
    names = {
        node: f"n{number:03}" for number, node in enumerate(sorted(traffic.graph.callees)[::-1])
    }

    def told(telemetry: Telemetry) -> Telemetry:
        nodes = list(telemetry.nodes.items())[::-1]
        return replace(telemetry, nodes={names.get(name, name): series for name, series in nodes})

    calls = [(names[a], names[b]) for a, called in traffic.graph.callees.items() for b in called]
    graph = CallGraph.of(reversed(calls), nodes=reversed(names.values()))
    issues = tuple(
        replace(
            issue,
            target=names[issue.target],
            root_cause=names[issue.root_cause] if issue.root_cause else None,
            window=told(issue.window),
        )
        for issue in traffic.issues
    )
    return replace(traffic, graph=graph, normal=told(traffic.normal), issues=issues)


def _with_windows(traffic: Traffic, change: Callable[[Telemetry], Telemetry]) -> Traffic:
    issues = tuple(replace(issue, window=change(issue.window)) for issue in traffic.issues)
    return replace(traffic, issues=issues)


def _each_node(traffic: Traffic, change: Callable[[NodeSeries], NodeSeries]) -> Traffic:
    def told(telemetry: Telemetry) -> Telemetry:
        nodes = {name: change(series) for name, series in telemetry.nodes.items()}
        return replace(telemetry, nodes=nodes)

    return replace(_with_windows(traffic, told), normal=told(traffic.normal))


def _without_means(node: NodeSeries) -> NodeSeries:
    return replace(node, latency_seconds=())


def table(figures: Mapping[str, Any]) -> str:
    """Return the figures as lines of text."""
    head = f"{'':38}{'issues':>7}{'top-1':>7}{'top-3':>7}{'named':>7}{'wrong':>7}{'quiet':>14}"
    rows = [(one["scenario"], one) for one in figures["scenarios"]]
    rows += [("all", figures["all"]), *figures["other_conditions"].items()]
    lines = [
        f"{name:38}{one['issues']:7}{_ratio(one, 'top1'):>7}{_ratio(one, 'top3'):>7}"
        f"{_ratio(one, 'named_right'):>7}{one['named_wrong']:7}{_quiet(one):>14}"
        for name, one in rows
    ]
    return "\n".join([head, *lines, f"{figures['seconds']} s"])


def _ratio(one: Mapping[str, Any], name: str) -> str:
    value = one.get(f"{name}_ratio")
    return "" if value is None else f"{value:.3f}"


def _quiet(one: Mapping[str, Any]) -> str:
    return f"{_ratio(one, 'quiet')} of {one['fault_free']}" if one["fault_free"] else ""


if __name__ == "__main__":
    sys.exit(main())
