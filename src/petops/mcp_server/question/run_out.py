"""When something reaches its limit, if it goes on as it does. Pure."""

from __future__ import annotations

from dataclasses import replace

from petops.mcp_server.question import bounds, measures
from petops.mcp_server.question.forms import HORIZON_SECONDS, roles
from petops.mcp_server.question.intents import Form, Meaning, Measure
from petops.mcp_server.question.promql import Sampling, duration
from petops.mcp_server.question.selection import Part, Selection, UnanswerableError
from petops.mcp_server.question.units import Written

RECENT_SECONDS = 300.0
DRIFT_SECONDS = 6 * 3600.0


def run_out(meaning: Meaning, selection: Selection) -> tuple[str, Written]:
    """Return the seconds until the limit, or who will have reached it by a given time."""
    if meaning.measure not in {Measure.MEMORY, Measure.CPU, Measure.OOM, Measure.DISK_SPACE}:
        raise UnanswerableError(f"{meaning.measure} has no limit that it could reach")
    if meaning.measure is Measure.DISK_SPACE or measures.meaning_on_nodes(meaning):
        return _of_nodes(meaning, selection)
    kind = Measure.CPU if meaning.measure is Measure.CPU else Measure.MEMORY
    plain = replace(meaning, measure=kind, form=Form.VALUE)
    used = bounds.resource(plain, selection)
    limit = bounds.bound(plain, selection, "limits")
    metrics = (
        measures.metric_of(plain, selection),
        bounds.bound_metric(plain, selection, "limits"),
    )
    by = roles(replace(plain, form=Form.RUN_OUT), used, selection.scope) or ("pod",)
    allowed = measures.aligned(selection, metrics, by, limit.write(by, Sampling()))
    if meaning.threshold is not None and meaning.threshold.figure.unit == "%":
        allowed = f"{meaning.threshold.figure.value / 100:g} * {allowed}"
    span = meaning.times.base or RECENT_SECONDS
    about = f"{kind} reaches its limit"
    sentence = meaning.sentence
    ahead = meaning.times.horizon or meaning.times.window
    if (sentence.has("which") and not sentence.has("first")) or (meaning.by and ahead is not None):
        horizon = ahead or HORIZON_SECONDS
        at = Sampling(function="predict_linear", span=max(span, 900.0), ahead=horizon)
        future = (
            used.write(by, at)
            if used.is_gauge
            else f"predict_linear(({used.write(by, Sampling())})[30m:1m], {horizon:.0f})"
        )
        words = (f"within {duration(horizon)}",)
        return about, Written(
            promql=f"{future} > {allowed}", unit=used.unit, by=by, may_be_empty=True, words=words
        )
    now = used.write(by, Sampling())
    slope = (
        used.write(by, Sampling(function="deriv", span=span))
        if used.is_gauge
        else f"deriv(({now})[{duration(span)}:15s])"
    )
    promql = f"({allowed} - {now}) / {slope}"
    words = (f"in seconds by the growth of the last {duration(span)}; negative: it shrinks",)
    if sentence.has("first"):
        promql = f"sort(bottomk(1, {promql} > 0))"
    return about, Written(promql=promql, unit="s", by=by, words=words)


def _of_nodes(meaning: Meaning, selection: Selection) -> tuple[str, Written]:
    """Return the seconds until a node has no memory or disk left."""
    if meaning.measure is Measure.DISK_SPACE:
        metric = measures.need(
            selection,
            "node_filesystem_avail_bytes",
            "node_filesystem_free_bytes",
            what="free disk space",
        )
    else:
        metric = measures.need(selection, "node_memory_MemAvailable_bytes", what="a node's memory")
    span = meaning.times.base or RECENT_SECONDS * 3
    quantity = measures.of_part(
        selection, Part(metric=metric), measures.BYTES, "node", "", is_gauge=True
    )
    by = ("node",)
    free = quantity.write(by, Sampling())
    loss = quantity.write(by, Sampling(function="deriv", span=span))
    words = (f"in seconds by the last {duration(span)}; negative: it grows",)
    what = "disk space" if meaning.measure is Measure.DISK_SPACE else "memory"

    promql, about = f"{free} / -{loss}", f"{what} of the node runs out"
    if not meaning.sentence.has("which", "first", "most"):
        return about, Written(promql=promql, unit="s", by=by, words=words)
    # Who does so, and first: those that gain never will, and a drift of days is noise.
    within = meaning.times.horizon or DRIFT_SECONDS
    return about, Written(
        promql=f"sort({promql} > 0 < {within:.0f})", unit="s", by=by, words=words, may_be_empty=True
    )
