"""What services tell of their requests: rate, errors, success and latency. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from petops.mcp_server.question.dialect import Metric
from petops.mcp_server.question.intents import Meaning, Measure
from petops.mcp_server.question.measures import (
    COUNT,
    PER_SECOND,
    RATIO,
    SECONDS,
    Quantity,
    of_part,
)
from petops.mcp_server.question.promql import Matcher, Sampling, named, one_of
from petops.mcp_server.question.selection import Part, Selection, UnanswerableError

DEFAULT_QUANTILE = 0.95
_IMPLIED = {"tail": [0.99], "distribution": [0.5, 0.9, 0.99]}
_TOTALS = (
    r"http_requests_total",
    r"http_server_requests(_seconds_count|_total)",
    r"(http_)?requests?_total",
    r"http_server_request_duration_seconds_count",
    r"http_request_duration_(seconds|milliseconds)_count",
    r"(\w+_)?http_requests_total",
    r"(\w+_)?(http|grpc|rpc|istio)_?\w*requests_total",
    r"(\w+_)?requests?(_duration|_latency)?_(seconds|milliseconds)_count",
    r"grpc_server_handled_total",
)
_ERRORS = (
    r"http_requests_errors_total",
    r"http_requests?_(errors?|failed|failures)_total",
    r"(\w+_)?requests?_(errors?|failed|failures)_total",
    r"(\w+_)?http_errors_total",
)
_DURATIONS = (
    r"http_request_duration_seconds",
    r"http_server_requests?(_duration)?_seconds",
    r"(\w+_)?requests?_(duration|latency)_(seconds|milliseconds)",
    r"(\w+_)?(response|request)_(time|latency)_(seconds|milliseconds)",
    r"(\w+_)?(latency|duration)_(seconds|milliseconds)",
)
# Durations of Kubernetes' own work, which have the same shape.
_NOT_SERVICES = (
    "apiserver_",
    "kubelet_",
    "prometheus_",
    "etcd_",
    "scheduler_",
    "workqueue_",
    "rest_client_",
    "node_",
    "kube_",
    "container_",
    "net_conntrack_",
    "go_",
    "coredns_",
)


def found(selection: Selection, patterns: Sequence[str], suffix: str = "") -> Metric | None:
    """Return the first metric that is called so and is of services."""
    for text in patterns:
        for metric in selection.catalogue.matching(f"(?:{text}){suffix}"):
            if metric.name.startswith(_NOT_SERVICES):
                continue
            if metric.label("service") or metric.label("pod"):
                return metric
    return None


def requests(meaning: Meaning, selection: Selection) -> Quantity:
    """Return requests a second."""
    metric = total_metric(selection)
    matchers = _code_matchers(metric, meaning) if meaning.sentence.codes else ()
    matchers += _method_matchers(metric, meaning)
    part = Part(metric=metric, counter=True, matchers=matchers)
    return replace(of_part(selection, part, PER_SECOND, "service", "requests"), is_counter=True)


def total_metric(selection: Selection) -> Metric:
    """Return the metric that counts requests."""
    metric = found(selection, _TOTALS)
    if metric is None:
        raise UnanswerableError(
            "no metric here counts the requests of services (such as http_requests_total)"
        )
    return metric


def errors(meaning: Meaning, selection: Selection) -> Quantity:
    """Return failed requests a second."""
    part, about = _errors(meaning, selection)
    return replace(of_part(selection, part, PER_SECOND, "service", about), is_counter=True)


def error_ratio(meaning: Meaning, selection: Selection) -> Quantity:
    """Return the share of requests that failed."""
    part, about = _errors(meaning, selection)
    total = total_metric(selection)
    whole = Part(metric=total, counter=True, matchers=_method_matchers(total, meaning))

    allowed = _allowed(meaning, selection) if meaning.sentence.has("budget") else 0.0

    def write(by: Sequence[str], at: Sampling) -> str:
        failed = _ratio(selection, part, whole, by, at)
        return f"({failed}) / {allowed:g}" if allowed else failed

    return Quantity(
        write=write,
        unit=RATIO,
        default_by="service",
        about=f"share of requests: {about}",
        is_ratio=True,
    )


def _allowed(meaning: Meaning, selection: Selection) -> float:
    """Return the share of failures that an objective allows; 0 where none is named."""
    for figure in meaning.sentence.figures:
        if figure.unit == "%" and 50 < figure.value < 100:
            selection.notes.append(f"errors as a multiple of what {figure.value:g}% allows")
            return round(1 - figure.value / 100, 9)
    selection.notes.append("no objective is named: the share of failed requests, not of a budget")
    return 0.0


def success(meaning: Meaning, selection: Selection) -> Quantity:
    """Return the share of requests that did not fail."""
    failed = error_ratio(meaning, selection)
    return replace(
        failed,
        write=lambda by, at: f"1 - {failed.write(by, at)}",
        about="share of requests that did not fail with a 5xx",
    )


def _ratio(selection: Selection, part: Part, whole: Part, by: Sequence[str], at: Sampling) -> str:
    """Divide; who has requests but never had an error counts as zero, and is not left out."""
    every = selection.total(whole, by, at)
    some = selection.total(part, by, at)
    left, right = selection.labels(part.metric, by), selection.labels(whole.metric, by)
    if left != right:
        for mine, theirs in zip(left, right, strict=True):
            some = f'label_replace({some}, "{theirs}", "$1", "{mine}", "(.*)")'
        some = f"sum by ({', '.join(right)}) ({some})"
    if _never_failed(part, whole):
        some = f"({some} or 0 * {every})"
    return f"{some} / {every}"


def _never_failed(part: Part, whole: Part) -> bool:
    """Say whether some service has no series for errors at all."""
    failing = {
        part.metric.value(row, "service") or part.metric.value(row, "pod")
        for row in part.metric.rows
        if all(_fits(row.get(one.label, ""), one) for one in part.matchers)
    }
    every = {
        whole.metric.value(row, "service") or whole.metric.value(row, "pod")
        for row in whole.metric.rows
    }
    return bool(every - failing)


def _fits(value: str, matcher: Matcher) -> bool:
    if matcher.sign == "=~":
        classes = matcher.value.replace(".", "").strip("[]")
        return bool(value) and value[0] in classes
    return value == matcher.value


def _errors(meaning: Meaning, selection: Selection) -> tuple[Part, str]:
    """Return the failed requests: by status where there is one, else as they are counted."""
    sentence = meaning.sentence
    total = found(selection, _TOTALS[:6]) or found(selection, _TOTALS)
    own = found(selection, _ERRORS)
    if (
        total is not None
        and total.code is not None
        and (own is None or sentence.codes or sentence.methods)
    ):
        matchers = (*_code_matchers(total, meaning), *_method_matchers(total, meaning))
        return Part(metric=total, counter=True, matchers=matchers), _code_words(meaning)
    if meaning.sentence.codes and set(meaning.sentence.codes) != {"5xx"}:
        raise UnanswerableError("no metric here tells requests by their HTTP status")
    if own is not None:
        return Part(metric=own, counter=True), "errors"
    if total is not None and {"SERVER_ERROR", "error"} & total.labels.get("outcome", set()):
        values = Matcher("outcome", "=~", "SERVER_ERROR|error")
        return Part(metric=total, counter=True, matchers=(values,)), "errors"
    raise UnanswerableError(
        "no metric here tells which requests failed (an HTTP status, or a count of errors)"
    )


def _code_matchers(metric: Metric, meaning: Meaning) -> tuple[Matcher, ...]:
    if metric.code is None:
        raise UnanswerableError(f"{metric.name} does not tell requests by their HTTP status")
    codes = meaning.sentence.codes or ["5xx"]
    if len(codes) == 1 and codes[0].isdigit():
        return (Matcher(metric.code, "=", codes[0]),)
    return (Matcher(metric.code, "=~", "|".join(code.replace("x", ".") for code in codes)),)


def _method_matchers(metric: Metric, meaning: Meaning) -> tuple[Matcher, ...]:
    methods = meaning.sentence.methods
    if not methods:
        return ()
    known = metric.labels.get(metric.method or "", set())
    wanted = [one for one in known if one.upper() in methods]
    if metric.method is None or not wanted:
        which = "by their method" if metric.method is None else f"of the method {methods[0]}"
        raise UnanswerableError(f"{metric.name} does not tell requests {which}", sorted(known))
    return (one_of(metric.method, wanted),)


def _code_words(meaning: Meaning) -> str:
    return f"HTTP {' and '.join(meaning.sentence.codes or ['5xx'])}"


def latency(meaning: Meaning, selection: Selection) -> Quantity:
    """Return a percentile of the durations, or their mean."""
    sentence = meaning.sentence
    wants_mean = (
        meaning.measure is Measure.LATENCY and sentence.has("average") and sentence.quantile is None
    )
    buckets = found(selection, _DURATIONS, "_bucket")
    counts = found(selection, _DURATIONS, "_count")
    if buckets is None and counts is None:
        raise UnanswerableError(
            "no metric here tells how long requests take (a histogram of durations)"
        )
    metric = buckets or counts
    if metric is None:
        raise UnanswerableError("no metric here tells how long requests take")
    scale = 1e-3 if "milliseconds" in metric.name else 1.0
    methods = _method_matchers(metric, meaning)
    if wants_mean or buckets is None:
        return _mean(selection, counts or metric, scale, methods)
    quantiles = list(dict.fromkeys(sentence.quantiles)) or _IMPLIED.get(
        next((one for one in _IMPLIED if sentence.has(one)), ""), []
    )
    if sentence.has("median"):
        quantiles = [*quantiles, 0.5]
    if not quantiles:
        quantiles = [DEFAULT_QUANTILE]
        selection.notes.append(f"latency read as its p{DEFAULT_QUANTILE * 100:g}")
    part = Part(metric=buckets, counter=True, matchers=methods, extra_by=("le",))

    def one(quantile: float, by: Sequence[str], at: Sampling) -> str:
        inner = f"histogram_quantile({quantile:g}, {selection.total(part, by, at)})"
        return inner if scale == 1.0 else f"{inner} / 1000"

    def write(by: Sequence[str], at: Sampling) -> str:
        if len(quantiles) == 1:
            return one(quantiles[0], by, at)
        return " or ".join(named(one(each, by, at), "quantile", f"{each:g}") for each in quantiles)

    words = " and ".join(f"p{each * 100:g}" for each in quantiles)
    return Quantity(
        write=write, unit=SECONDS, default_by="service", about=f"{words} latency", is_ratio=True
    )


def _mean(
    selection: Selection, counts: Metric, scale: float, matchers: tuple[Matcher, ...]
) -> Quantity:
    stem = counts.name.removesuffix("_count").removesuffix("_bucket")
    spent, number = (
        selection.catalogue.first(f"{stem}_sum"),
        selection.catalogue.first(f"{stem}_count"),
    )
    if spent is None or number is None:
        raise UnanswerableError(f"{stem} has no sum and count, from which a mean could be taken")
    top, bottom = (Part(metric=one, counter=True, matchers=matchers) for one in (spent, number))

    def write(by: Sequence[str], at: Sampling) -> str:
        inner = f"{selection.total(top, by, at)} / {selection.total(bottom, by, at)}"
        return inner if scale == 1.0 else f"{inner} / 1000"

    return Quantity(
        write=write, unit=SECONDS, default_by="service", about="mean latency", is_ratio=True
    )


def literal(metric: Metric, selection: Selection) -> Quantity:
    """Return a metric that the question names itself."""
    counter = metric.name.endswith(("_total", "_count", "_sum", "_bucket"))
    # cAdvisor tells of containers and of their pod's own cgroup; of the network, only of that.
    of_containers = metric.name.startswith("container_") and "network" not in metric.name
    part = Part(metric=metric, counter=counter, containers_only=of_containers)
    kinds = ("service", "deployment", "hpa", "pod", "node", "namespace")
    roles = [role for role in kinds if metric.label(role)]
    kind = roles[0] if roles else ""
    quantity = of_part(
        selection, part, PER_SECOND if counter else COUNT, kind, metric.name, is_gauge=not counter
    )
    return replace(quantity, is_counter=counter)
