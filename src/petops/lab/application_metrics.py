"""What the application's own HTTP instrumentation says of the requests that it answered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from petops.lab.exposition import Labels, Sample
from petops.lab.usage import DURATION_BUCKETS, ServiceTraffic

_FAMILIES: Final = (
    ("http_requests_total", "counter"),
    ("http_requests_errors_total", "counter"),
    ("http_request_duration_seconds", "histogram"),
)


def application_samples(traffic: Iterable[ServiceTraffic]) -> Iterator[Sample]:
    """Yield requests, errors and durations of each pod of each service."""
    for one in traffic:
        labels: Labels = (
            ("container", one.container),
            ("namespace", one.namespace),
            ("node", one.node),
            ("pod", one.pod),
            ("service", one.service),
        )
        answered = (("200", one.requests_total - one.errors_total), ("500", one.errors_total))
        for code, count in answered:
            of_code = (("code", code), labels[0], ("method", "GET"), *labels[1:])
            yield Sample("http_requests_total", of_code, count)
        yield Sample("http_requests_errors_total", labels, one.errors_total)
        yield from _durations(one, labels)


def _durations(one: ServiceTraffic, labels: Labels) -> Iterator[Sample]:
    bounds = [str(float(bound)) for bound in DURATION_BUCKETS]
    counts = (*one.duration_counts, one.requests_total)
    for bound, count in zip((*bounds, "+Inf"), counts, strict=True):
        bucket = (labels[0], ("le", bound), *labels[1:])
        yield Sample("http_request_duration_seconds_bucket", bucket, count)
    yield Sample("http_request_duration_seconds_sum", labels, one.duration_seconds_sum)
    yield Sample("http_request_duration_seconds_count", labels, one.requests_total)


def application_text(traffic: Sequence[ServiceTraffic]) -> str:
    """Write what `application_samples` yields, much faster: it is most of a large lab's scrape."""
    families: dict[str, list[str]] = {family: [] for family, _ in _FAMILIES}
    requests, errors, durations = families.values()
    bounds = [f'le="{float(bound)}"' for bound in DURATION_BUCKETS] + ['le="+Inf"']
    for one in traffic:
        head = f'container="{one.container}"'
        rest = (
            f'namespace="{one.namespace}",node="{one.node}",pod="{one.pod}",service="{one.service}"'
        )
        for code, count in (
            ("200", one.requests_total - one.errors_total),
            ("500", one.errors_total),
        ):
            labels = f'code="{code}",{head},method="GET",{rest}'
            requests.append(f"http_requests_total{{{labels}}} {count}\n")
        errors.append(f"http_requests_errors_total{{{head},{rest}}} {one.errors_total}\n")
        name = "http_request_duration_seconds"
        counts = (*one.duration_counts, one.requests_total)
        durations += [
            f"{name}_bucket{{{head},{bound},{rest}}} {count}\n"
            for bound, count in zip(bounds, counts, strict=True)
        ]
        durations.append(f"{name}_sum{{{head},{rest}}} {one.duration_seconds_sum!r}\n")
        durations.append(f"{name}_count{{{head},{rest}}} {one.requests_total}\n")
    return "".join(
        f"# TYPE {family} {kind}\n" + "".join(families[family])
        for family, kind in _FAMILIES
        if families[family]
    )
