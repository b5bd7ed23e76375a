"""Samples of the lab's metrics, and how they are written as Prometheus text.

The same samples are scraped (`render`) and pushed as history (`remote_write`), so that a series
looks the same whichever way it came.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple

Labels = tuple[tuple[str, str], ...]

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_HISTOGRAM_SUFFIXES: Final = ("_bucket", "_sum", "_count")


class Sample(NamedTuple):
    """One value. `at_ms` is set where the exporter itself gives the time, as cAdvisor does."""

    name: str
    labels: Labels
    value: float
    at_ms: int | None = None


def milliseconds(moment: datetime) -> int:
    """Return `moment` as Prometheus writes times."""
    return round(moment.timestamp() * 1000)


def render(samples: Iterable[Sample]) -> str:
    """Write samples as Prometheus text, a family's lines together under its type."""
    families: dict[str, list[Sample]] = {}
    for sample in samples:
        families.setdefault(family_of(sample.name), []).append(sample)
    return "".join(_lines(families))


@lru_cache(maxsize=1000)
def family_of(name: str) -> str:
    """Return the family of a sample: for a histogram's parts, the histogram."""
    for suffix in _HISTOGRAM_SUFFIXES:
        if name.endswith(suffix) and "_duration_seconds" in name:
            return name.removesuffix(suffix)
    return name


def kind_of(family: str, first: str) -> str:
    """Return a family's type, by its name and that of its first sample."""
    if first != family:
        return "histogram"
    return "counter" if family.endswith("_total") or family == "kubelet_evictions" else "gauge"


def line(sample: Sample) -> str:
    """Write one sample, without remembering anything of it."""
    name, labels, value, at_ms = sample
    time = "" if at_ms is None else f" {at_ms}"
    return f"{name}{_written(labels)} {value!r}{time}\n"


def _lines(families: dict[str, list[Sample]]) -> Iterator[str]:
    for family, samples in families.items():
        yield f"# TYPE {family} {kind_of(family, samples[0].name)}\n"
        for name, labels, value, at_ms in samples:
            time = "" if at_ms is None else f" {at_ms}"
            yield f"{name}{_braces(labels)} {value!r}{time}\n"


@lru_cache(maxsize=50_000)
def _braces(labels: Labels) -> str:
    """Write labels; remembered, because a scrape a second writes the same ones again and again."""
    return _written(labels)


def _written(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
