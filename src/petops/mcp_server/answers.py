"""What the tools answer with: the shapes, and how a long answer is cut. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, NotRequired

from pydantic import Field, WithJsonSchema
from typing_extensions import TypedDict  # pydantic refuses typing's own before Python 3.12

from petops.errors import SourceError
from petops.mcp_server.failures import Answered

_MUCH_MORE = 10  # times the limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one answer may hold, and how much may be asked at once."""

    max_series: int = 2_000
    max_samples: int = 200_000
    max_names: int = 5_000
    max_targets: int = 1_000
    concurrent_queries: int = 64  # as many as `client.py` has connections; Prometheus queues them
    queue_seconds: float = 10.0


class LeftOff(TypedDict):
    """What an answer would have held beyond its limits."""

    series: Annotated[int, Field(description="Series that are not in the answer at all")]
    samples: Annotated[int, Field(description="Samples that are not in the answer")]
    why: str


# Said in the schema as an example: a schema of the items has every client walk through them all,
# which for 300 series takes longer than the query.
Series = Annotated[
    list[Any],
    WithJsonSchema(
        {
            "type": "array",
            "description": "vector: {metric, value: [seconds, text]} for each series; matrix: "
            "{metric, values: [[seconds, text], ...]}; scalar and string: [seconds, text]",
            "examples": [
                [{"metric": {"pod": "web-1"}, "value": [1768478400, "0.5"]}],
                [{"metric": {"pod": "web-1"}, "values": [[1768478400, "0.5"]]}],
                [1768478400, "1"],
            ],
        }
    ),
]


class QueryAnswer(TypedDict):
    """A query's result as Prometheus gives it: numbers are strings, and NaN and +Inf survive."""

    resultType: Annotated[str, Field(description="vector, matrix, scalar or string")]
    result: Series
    warnings: NotRequired[list[str]]
    leftOff: NotRequired[LeftOff]


class MetricNames(TypedDict):
    """One page of metric names."""

    metrics: list[str]
    total_count: Annotated[int, Field(description="Names that match, on all pages")]
    returned_count: int
    offset: int
    has_more: bool


class MetricMetadata(TypedDict):
    """What targets say of one metric; several entries where they disagree."""

    result: Annotated[list[Any], Field(description="{type, help, unit} for each version")]


class Targets(TypedDict):
    """What Prometheus scrapes."""

    activeTargets: list[Any]
    total_active: int
    returned_active: int
    has_more: bool


class Health(TypedDict):
    """Whether this server can answer."""

    status: Annotated[str, Field(description="healthy or degraded")]
    service: str
    version: str
    prometheus_url: str
    prometheus_connectivity: Annotated[str, Field(description="healthy or unhealthy")]
    prometheus_error: NotRequired[str]


def query_answer(answered: Answered, limits: Limits) -> QueryAnswer:
    """Return a query's result, cut to the limits; what was left off stands in it."""
    data = answered.data
    if not isinstance(data, dict) or not isinstance(data.get("result"), list):
        raise SourceError("Prometheus answered a query without a result")
    kind, result = str(data.get("resultType", "")), data["result"]
    answer = QueryAnswer(resultType=kind, result=result)
    if kind in ("vector", "matrix"):
        answer["result"], left_off = cut(result, limits)
        if left_off is not None:
            answer["leftOff"] = left_off
    if answered.warnings:
        answer["warnings"] = list(answered.warnings)
    return answer


def cut(result: Sequence[Any], limits: Limits) -> tuple[list[Any], LeftOff | None]:
    """Keep whole series, in order, while they fit; of a first one too long its newest samples."""
    kept: list[Any] = []
    total = count_samples(result)
    if len(result) <= limits.max_series and total <= limits.max_samples:
        return list(result), None
    room = limits.max_samples
    for series in result[: limits.max_series]:
        if samples_of(series) > room:
            break
        kept.append(series)
        room -= samples_of(series)
    if result and not kept:
        kept.append({**result[0], "values": result[0]["values"][-limits.max_samples :]})
        room = 0
    samples_left_off = total - (limits.max_samples - room)
    if len(kept) == len(result) and not samples_left_off:
        return kept, None
    why = (
        f"an answer holds {limits.max_series} series and {limits.max_samples} samples at most: "
        "select fewer series, a shorter time or a longer step, or aggregate"
    )
    left_off = LeftOff(series=len(result) - len(kept), samples=samples_left_off, why=why)
    return kept, left_off


def count_samples(result: Sequence[Mapping[str, Any]]) -> int:
    """Count the samples of a vector or matrix."""
    if result and "value" in result[0]:  # a vector: each has one
        return len(result)
    return sum(map(samples_of, result))


def refuse_much_more(parts: Sequence[Answered], limits: Limits) -> None:
    """Raise SourceError where the parts hold so much that no answer could give an idea of it."""
    held = sum(count_samples(part.data.get("result", ())) for part in parts)
    if len(parts) > 1 and held > _MUCH_MORE * limits.max_samples:
        raise SourceError(
            f"the range has over {held} samples, of which an answer holds {limits.max_samples}",
            hint="select fewer series, a shorter time or a longer step, or aggregate",
        )


def samples_of(series: Mapping[str, Any]) -> int:
    """Count the samples of one series of a vector or matrix; a native histogram counts as one."""
    return len(series.get("values", ())) + len(series.get("histograms", ())) or 1


def metric_names(
    names: Sequence[str], limits: Limits, limit: int | None, offset: int, pattern: str | None
) -> MetricNames:
    """Return one page of the names that hold `pattern` (case aside)."""
    wanted = (pattern or "").lower()
    matching = [name for name in names if wanted in name.lower()]
    offset = max(0, offset)
    most = limits.max_names if limit is None else min(max(0, limit), limits.max_names)
    page = matching[offset : offset + most]
    return MetricNames(
        metrics=page,
        total_count=len(matching),
        returned_count=len(page),
        offset=offset,
        has_more=offset + len(page) < len(matching),
    )


def metric_metadata(answered: Answered, metric: str) -> MetricMetadata:
    """Return the entries of one metric; none where no target told any."""
    entries = answered.data.get(metric, []) if isinstance(answered.data, dict) else []
    return MetricMetadata(result=list(entries))


def targets(answered: Answered, limits: Limits) -> Targets:
    """Return the targets without `discoveredLabels`, which is long and says nothing more."""
    data = answered.data if isinstance(answered.data, dict) else {}
    active = data.get("activeTargets") or []
    kept = [
        {key: value for key, value in target.items() if key != "discoveredLabels"}
        for target in active[: limits.max_targets]
    ]
    return Targets(
        activeTargets=kept,
        total_active=len(active),
        returned_active=len(kept),
        has_more=len(kept) < len(active),
    )
