"""Says in words what a PromQL expression computes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from petops.errors import SourceError
from petops.mcp_server.asked import Prometheus

_FUNCTIONS: Final = {
    "rate": "how fast a counter rises a second, averaged over {span}",
    "irate": "how fast a counter rises a second, by its last two samples within {span}",
    "increase": "by how much a counter rose over {span}",
    "delta": "by how much a gauge changed over {span}",
    "deriv": "the slope of a gauge a second over {span}",
    "predict_linear": "what a gauge will be, if it goes on as over {span}",
    "histogram_quantile": "a percentile of a histogram, interpolated between its buckets",
    "avg_over_time": "the mean of each series over {span}",
    "max_over_time": "the highest of each series over {span}",
    "min_over_time": "the lowest of each series over {span}",
    "quantile_over_time": "a quantile of each series over {span}",
    "label_replace": "a label is taken from another or set",
    "topk": "the highest series only",
    "bottomk": "the lowest series only",
    "sort_desc": "the highest first",
    "sort": "the lowest first",
    "absent": "1 where there is no such series",
    "clamp_min": "not below a bound",
    "clamp_max": "not above a bound",
}
_AGGREGATIONS: Final = {
    "sum": "added up",
    "avg": "averaged",
    "max": "highest of",
    "min": "lowest of",
    "count": "counted",
    "group": "one for each",
    "stddev": "standard deviation of",
    "quantile": "quantile of",
}
_STRINGS = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|`[^`]*`')
_NO_METRICS = {
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "or",
    "and",
    "unless",
    "offset",
    "bool",
    "atan2",
    "inf",
    "nan",
    "start",
    "end",
}
_LONGEST = 4_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """An expression in words; `error` is the parser's, `unknown` are metrics that are not there."""

    sentences: tuple[str, ...]
    unknown: tuple[str, ...]
    error: str | None


async def explained(client: Prometheus, query: str) -> Explained:
    """Explain an expression; Prometheus says whether it is one. Raise SourceError if it is down."""
    names = set(await client.metric_names())
    error = None
    try:
        await client.query(query)
    except SourceError as exc:
        if "refused the query" not in exc.message:
            raise
        error = exc.message
    metrics = metrics_of(query)
    unknown = tuple(one for one in metrics if one not in names)
    return Explained(sentences=sentences_of(query, metrics), unknown=unknown, error=error)


def metrics_of(query: str) -> tuple[str, ...]:
    """Return the names of metrics in an expression."""
    bare = _STRINGS.sub('""', query[:_LONGEST])
    bare = re.sub(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^()]*\)", " ", bare)
    bare = re.sub(r"\[[^\]]*\]|\boffset\s+-?\w+|@\s*\S+", " ", bare)
    bare = re.sub(r"\{[^{}]*\}", " ", bare)
    found = (match[1] for match in re.finditer(r"([a-zA-Z_:][\w:]*)(?!\s*\(|[\w:])", bare))
    no_metrics = _NO_METRICS | set(_AGGREGATIONS)
    return tuple(dict.fromkeys(word for word in found if word.lower() not in no_metrics))


def sentences_of(query: str, metrics: tuple[str, ...]) -> tuple[str, ...]:
    """Return what the parts of an expression do, from the innermost outwards."""
    text = query[:_LONGEST]
    first = f"it reads {', '.join(metrics)}" if metrics else "it reads no metric"
    rest = (*_selections(text), *_operations(_STRINGS.sub('""', text)))
    return tuple(dict.fromkeys((first, *rest)))


def _selections(text: str) -> Iterator[str]:
    for match in re.finditer(r"([\w:]+)?\s*\{([^{}]*)\}", text):
        if match[2].strip():
            yield f"of {match[1] or 'any metric'} only series with {match[2].strip()}"


def _operations(bare: str) -> Iterator[str]:
    """Yield a sentence for each function, aggregation, offset and bound."""
    spans = re.findall(r"\[([^\]]*)\]", bare)
    for name, words in _FUNCTIONS.items():
        if re.search(rf"\b{name}\s*\(", bare):
            yield f"{name}: {words.format(span=spans[0] if spans else 'a range')}"
    for name, words in _AGGREGATIONS.items():
        for match in re.finditer(rf"\b{name}\s*(?:(by|without)\s*\(([^()]*)\))?\s*\(", bare):
            labels = f" {match[1]} {match[2].strip()}" if match[1] else ""
            yield f"{name}: {words} the series{labels}"
    for shift in re.findall(r"\boffset\s+(-?\w+)", bare):
        yield f"offset: as it was {shift} earlier"
    compared = re.search(r"(==|!=|>=|<=|>|<)\s*(bool\s*)?(-?[\d.]+)", bare)
    if compared:
        kept = "1 where it holds, else 0" if compared[2] else "only what passes is kept"
        yield f"{compared[1]} {compared[3]}: {kept}"
