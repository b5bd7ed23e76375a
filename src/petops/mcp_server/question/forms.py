"""What is made of a measure: a value, a ranking, a bound, a forecast, a comparison. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from petops.mcp_server.question.asking import is_explicit
from petops.mcp_server.question.intents import Form, Meaning, Measure
from petops.mcp_server.question.measures import (
    BYTES_PER_SECOND,
    CORES,
    PER_SECOND,
    RATIO,
    SECONDS,
    Quantity,
)
from petops.mcp_server.question.promql import Sampling, aggregated, duration, over_time
from petops.mcp_server.question.selection import WORKLOAD, Scope
from petops.mcp_server.question.states import at_maximum
from petops.mcp_server.question.units import Written, closed, in_unit

EVENTS = frozenset({Measure.RESTARTS, Measure.OOM, Measure.EVICTIONS})
GROWTH_SECONDS = 900.0
FORECAST_SECONDS = 1800.0
HORIZON_SECONDS = 3600.0
TREND_SECONDS = 3600.0


def roles(meaning: Meaning, quantity: Quantity, scope: Scope) -> tuple[str, ...]:
    """Return by what the result is told apart."""
    asked = tuple(_role(kind, quantity) for kind in meaning.by)
    has = meaning.sentence.has
    # The average of a latency is one of time, not of those that are asked about.
    of_each = meaning.measure is Measure.LATENCY and not has("across", "cluster", "total")
    if is_explicit(meaning.sentence) or (of_each and asked):
        return asked
    if (
        (meaning.aggregate or has("total", "sum"))
        and (has("across", "cluster", "all", "total", "sum") or not asked)
        and (meaning.times.window is None or meaning.aggregate == "sum" or has("across", "cluster"))
    ):
        return ()
    if asked:
        return asked
    if len(scope.workloads) > 1:
        return (WORKLOAD,)
    if meaning.times.earlier is not None and scope.is_narrow and meaning.form is Form.VALUE:
        return ()
    return _default(meaning, quantity, scope)


def _default(meaning: Meaning, quantity: Quantity, scope: Scope) -> tuple[str, ...]:
    kind = _role(quantity.default_by, quantity) if quantity.default_by else ""
    if not kind:
        return ()
    if scope.pods and kind == WORKLOAD:
        return ("pod",)
    if scope.is_narrow or scope.hpas or kind in {"node", "hpa", "deployment"}:
        return (kind,)
    ranked = meaning.top is not None or meaning.threshold is not None
    each = ranked or quantity.is_ratio or meaning.form is not Form.VALUE
    if scope.namespaces or scope.nodes:
        return (kind,) if each and kind == "pod" else ("namespace",) if scope.namespaces else ()
    asks_for_one_figure = meaning.sentence.has("much", "many") and not ranked
    return () if asks_for_one_figure else (kind,)


def _role(kind: str, quantity: Quantity) -> str:
    if kind in {"service", "deployment"} and quantity.default_by != "deployment":
        return WORKLOAD
    return kind


def written(meaning: Meaning, quantity: Quantity, scope: Scope) -> Written:
    """Return the expression that answers."""
    by = roles(meaning, quantity, scope)
    times = meaning.times
    result = _timed(meaning, quantity, by)
    if times.earlier is not None:
        result = _against_earlier(meaning, quantity, result, by)
    result = _bounded(meaning, quantity, result)
    result = _counted(meaning, result)
    if meaning.top is not None and result.by:
        result = _ranked(meaning, result)
    return result


def _timed(meaning: Meaning, quantity: Quantity, by: tuple[str, ...]) -> Written:
    """Return the measure at its time, or over its window, or ahead."""
    times = meaning.times
    base = Written(promql="", unit=quantity.unit, by=by, until=times.until)
    if meaning.form is Form.GROWTH:
        return _growth(meaning, quantity, base)
    if meaning.form is Form.FORECAST:
        return _forecast(meaning, quantity, base)
    if times.window is not None:
        return _over_window(meaning, quantity, base, times.window)
    at = Sampling(ago=times.ago or 0.0)
    if meaning.sentence.has("trend"):
        words = ("over the last hour",)
        return replace(base, promql=quantity.write(by, at), window=TREND_SECONDS, words=words)
    return _across(meaning, quantity, base, at)


def _over_window(meaning: Meaning, quantity: Quantity, base: Written, window: float) -> Written:
    """Return a number of events, one figure for the window, or the curve over it."""
    late = Sampling(ago=meaning.times.until)
    words = (f"over {duration(window)}",)
    if quantity.is_counter and _is_number_of(meaning):
        promql = quantity.write(base.by, replace(late, counter="increase", window=window))
        unit = quantity.unit.removesuffix("/s")
        return replace(base, promql=promql, unit=unit, words=(f"increase {words[0]}",))
    condensed = meaning.top is not None or meaning.threshold is not None or meaning.counted
    if meaning.aggregate in {"avg", "max", "min", "quantile"} or condensed:
        return replace(_condensed(meaning, quantity, base, late, window), words=words)
    promql = quantity.write(base.by, Sampling())
    return replace(base, promql=promql, window=window, words=words)


def _is_number_of(meaning: Meaning) -> bool:
    """Say whether a number of events is asked for, and not how fast they come."""
    has = meaning.sentence.has
    if meaning.measure in EVENTS:
        return not has("trend")
    if has("rate", "rps", "persecond", "perminute", "perhour", "trend"):
        return False
    served = meaning.measure is Measure.REQUESTS and has("serve")
    return meaning.counted or served or has("total", "sum", "much")


def _condensed(
    meaning: Meaning, quantity: Quantity, base: Written, at: Sampling, window: float
) -> Written:
    """Return one figure for the window."""
    function = meaning.aggregate
    rates = quantity.unit in {CORES, PER_SECOND, BYTES_PER_SECOND, SECONDS} or (
        quantity.is_ratio
        and meaning.measure not in {Measure.MEMORY, Measure.DISK_SPACE, Measure.HPA}
    )
    if rates and function in {"", "avg", "sum"} and meaning.form is not Form.HEADROOM:
        return replace(base, promql=quantity.write(base.by, replace(at, window=window)))
    if not function or function == "sum":
        low = meaning.ascending or (meaning.threshold is not None and "<" in meaning.threshold.sign)
        function = "min" if low else "max"
    inner = quantity.write(base.by, at if not at.ago else replace(at, ago=0.0))
    parameter = None
    if function == "quantile":
        parameter = meaning.sentence.quantile or 0.5
    promql = over_time(function, inner, window, parameter)
    if at.ago:
        promql = promql.removesuffix(")") + f" offset {duration(at.ago)})"
    return replace(base, promql=promql)


def _across(meaning: Meaning, quantity: Quantity, base: Written, at: Sampling) -> Written:
    """Return the value at one time; an average or maximum of no window is that of all entities."""
    function = meaning.aggregate
    if function in {"avg", "max", "min"} and not is_explicit(meaning.sentence):
        if meaning.measure is Measure.LATENCY and function == "avg":
            return replace(base, promql=quantity.write(base.by, at))
        kind = _role(quantity.default_by, quantity)
        inner = quantity.write((kind,), at)
        return replace(
            base, promql=aggregated(function, (), inner), by=(), words=(f"{function} of all",)
        )
    promql = quantity.write(base.by, at)
    words = (f"{duration(at.ago)} ago",) if at.ago else ()
    return replace(base, promql=promql, words=words)


def _growth(meaning: Meaning, quantity: Quantity, base: Written) -> Written:
    """Return how fast it grows a second, or how much it grew."""
    times, has = meaning.times, meaning.sentence.has
    span = times.base or times.window or GROWTH_SECONDS
    now = Sampling(ago=times.until)
    is_rate = has("fast", "persecond", "perminute") or meaning.sentence.matches(" growth rate ")
    if has("much", "change") and times.window is not None and not is_rate:
        early = quantity.write(base.by, now.past(span))
        promql = f"({quantity.write(base.by, now)}) - ({early})"
        return replace(base, promql=promql, words=(f"now less {duration(span)} ago",))
    if quantity.is_gauge:
        promql = quantity.write(base.by, replace(now, function="deriv", span=span))
    else:
        promql = f"deriv(({quantity.write(base.by, Sampling())})[{duration(span)}:1m])"
    return replace(
        base,
        promql=promql,
        unit=f"{quantity.unit}/s",
        words=(f"growth a second over {duration(span)}",),
    )


def _forecast(meaning: Meaning, quantity: Quantity, base: Written) -> Written:
    """Return what it will be, if it goes on as it did."""
    times = meaning.times
    span = times.base or times.window or FORECAST_SECONDS
    ahead = times.horizon or HORIZON_SECONDS
    if quantity.is_gauge:
        at = Sampling(function="predict_linear", span=span, ahead=ahead)
        promql = quantity.write(base.by, at)
    else:
        curve = f"({quantity.write(base.by, Sampling())})[{duration(span)}:1m]"
        promql = f"predict_linear({curve}, {ahead:.0f})"
    words = (f"in {duration(ahead)}, if it goes on as in the last {duration(span)}",)
    return replace(base, promql=promql, words=words)


def _against_earlier(
    meaning: Meaning, quantity: Quantity, now: Written, by: Sequence[str]
) -> Written:
    """Return the present less the past, or divided by it."""
    earlier = meaning.times.earlier or 0.0
    before = quantity.write(by, Sampling(ago=earlier))
    value = quantity.write(by, Sampling())
    is_share = meaning.sentence.has("share") and not quantity.is_ratio
    promql = f"({value}) / ({before})" if is_share else f"({value}) - ({before})"
    words = f"now {'divided by' if is_share else 'less'} {duration(earlier)} ago"
    return replace(
        now, promql=promql, unit=RATIO if is_share else now.unit, words=(words,), window=None
    )


def _bounded(meaning: Meaning, quantity: Quantity, result: Written) -> Written:
    """Return only what passes the bound, where one is named or meant."""
    sentence = meaning.sentence
    found = meaning.threshold
    if found is not None:
        value = in_unit(found.figure, quantity, meaning)
        bounds = [(found.sign, value)]
        if found.most is not None:
            bounds.append(("<=", in_unit(found.most, quantity, meaning)))
        said = " and ".join(f"{sign} {bound:.6g} {result.unit}".strip() for sign, bound in bounds)
        return replace(
            result,
            promql=" ".join(
                (closed(result.promql), *(f"{sign} {bound:.12g}" for sign, bound in bounds))
            ),
            may_be_empty=True,
            words=(*result.words, said),
        )
    if (
        quantity.unit == RATIO
        and sentence.has("close")
        and sentence.has("limit")
        and meaning.by
        and not meaning.entities
    ):
        return replace(
            result,
            promql=f"{closed(result.promql)} > 0.8",
            may_be_empty=True,
            words=(*result.words, "close read as over 80%"),
        )
    over_limit = sentence.has("over", "exceed") and sentence.has("limit") and not sentence.figures
    if meaning.form is Form.SHARE and over_limit and meaning.by:
        return replace(result, promql=f"{closed(result.promql)} > 1", may_be_empty=True)
    about_some = meaning.by and not sentence.has("per", "often") and meaning.top is None
    if (
        meaning.measure in EVENTS
        and about_some
        and not sentence.matches(r" (?:many|list|total) (?:restart|oom|evict)")
    ):
        sign = "== 0" if sentence.has("not") else "> 0"
        return replace(result, promql=f"{closed(result.promql)} {sign}", may_be_empty=True)
    lacks = meaning.measure is Measure.REPLICAS and (
        sentence.has("unavailable")
        or (sentence.has("desired") and sentence.has("below", "less", "not"))
    )
    if lacks and about_some and not (meaning.entities or sentence.has("many", "much")):
        return replace(result, promql=f"{closed(result.promql)} > 0", may_be_empty=True)
    return result


def _counted(meaning: Meaning, result: Written) -> Written:
    """Return how many there are, where that is asked of things that pass a bound."""
    selects = result.may_be_empty or (meaning.measure is Measure.HPA and at_maximum(meaning))
    if not (meaning.counted and selects and meaning.by):
        return replace(result, may_be_empty=result.may_be_empty or selects)
    return replace(
        result,
        promql=f"count({result.promql}) or vector(0)",
        by=(),
        unit="",
        words=(*result.words, "how many"),
    )


def _ranked(meaning: Meaning, result: Written) -> Written:
    count = meaning.top or 0
    function, order = ("bottomk", "sort") if meaning.ascending else ("topk", "sort_desc")
    words = f"{'lowest' if meaning.ascending else 'highest'} {count or 'first'}"
    if not count:
        return replace(result, promql=f"{order}({result.promql})", words=(*result.words, words))
    return replace(
        result,
        promql=f"{order}({function}({count}, {result.promql}))",
        words=(*result.words, words),
    )
