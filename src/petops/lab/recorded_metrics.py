"""A recorded case's metrics, put into a running Prometheus with the times of their recording."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from petops.errors import UsageError
from petops.lab.exposition import Labels, Sample
from petops.lab.recorded_lists import objects_in, read_json
from petops.lab.remote_write import Timeline, push
from petops.lab.scrape_text import scraped_lines

Json = Any

_JOBS: Final = re.compile(r"(?P<job>.+?)(?:-over-time)?")
_EPOCH: Final = re.compile(r"(?<!\d)\d{10}(?!\d)")
_MOST_BYTES: Final = 256 * 1024 * 1024
_FIRST_MS: Final = 946_684_800_000
_LAST_MS: Final = 4_102_444_800_000


async def load_recorded(folder: Path, prometheus_url: str, now_ms: int | None = None) -> int:
    """Push a recorded case's samples; return how many there were.

    `now_ms` is when a scrape was made that nothing of dates; without it such a one is left out.
    """
    timeline = Timeline()
    dated = (
        one if one.at_ms is not None else one._replace(at_ms=now_ms)
        for one in recorded_samples(folder)
    )
    kept = [one for one in dated if one.at_ms is not None and _FIRST_MS < one.at_ms < _LAST_MS]
    timeline.add(sorted(kept, key=_time))
    return await push(timeline, prometheus_url)


def recorded_samples(folder: Path) -> Iterator[Sample]:
    """Yield everything that a case recorded, with its time and its scrape's labels, in no order.

    Of the Prometheus answers, only series that were asked for as they are: what a function or an
    operator made has no name.
    """
    if not folder.is_dir() or not any(folder.glob("*.json")):
        raise UsageError(f"there is no recorded case at {folder}")
    node = _node(folder)
    for path in sorted((*folder.glob("*.prom"), *folder.glob("*/*.prom"))):
        named = path.parent.name if path.parent != folder else path.stem
        job = _JOBS.fullmatch(named)
        yield from _scraped(path, job["job"] if job else named, node)
    for path in sorted(folder.glob("prometheus/*.json")):
        yield from _queried(path)


def sample_times(folder: Path) -> list[float]:
    """Return when the samples of a folder were taken, in seconds since 1970.

    Those of a series of scrapes only where there is no single one: the series may go on for longer
    than the moment that the folder is about.
    """
    scrapes = sorted(folder.glob("*.prom")) or sorted(folder.glob("*/*.prom"))
    found = {one.at_ms for path in scrapes for one in _scraped(path, "", "")}
    found |= {one.at_ms for path in folder.glob("prometheus/*.json") for one in _queried(path)}
    return [at / 1000 for at in found if at is not None]


def _time(sample: Sample) -> int:
    return sample.at_ms or 0


def _node(folder: Path) -> str:
    """Return the first recorded node's name: scrapes are of one node. Empty where none is known."""
    file = folder / "nodes.json"
    found = objects_in(file) if file.is_file() else iter(())
    return next((str(item["metadata"]["name"]) for _, item in found), "")


def _scraped(path: Path, job: str, node: str) -> Iterator[Sample]:
    """Yield one scrape; what has no time of its own was seen when the latest of it was.

    Or when the file's name says, in seconds since 1970.
    """
    if path.stat().st_size > _MOST_BYTES:
        raise UsageError(f"{path} is larger than {_MOST_BYTES // 1024**2} MiB")
    scrape = {"instance": node, "job": job, "node": node}
    samples = list(scraped_lines(path))
    named = _EPOCH.search(path.stem)
    times = [one.at_ms for one in samples if one.at_ms is not None]
    seen_at = max(times) if times else int(named[0]) * 1000 if named else None
    for one in samples:
        at = seen_at if one.at_ms is None else one.at_ms
        yield Sample(one.name, _complete({**scrape, **dict(one.labels)}), one.value, at)


def _queried(path: Path) -> Iterator[Sample]:
    """Yield the series of one answer of Prometheus; one that failed, or is none, has none."""
    document = _mapping(read_json(path))
    body = _mapping(document.get("response", document))
    result = _mapping(body.get("data")).get("result")
    for series in result if isinstance(result, list) else ():
        labels = dict(_mapping(_mapping(series).get("metric")))
        name = labels.pop("__name__", None)
        if name is None:
            continue
        complete = _complete({str(key): str(value) for key, value in labels.items()})
        pairs = series.get("values") or ([series["value"]] if "value" in series else [])
        for pair in pairs:
            try:
                at, value = float(pair[0]), float(pair[1])
            except (TypeError, ValueError, IndexError, KeyError) as exc:
                raise UsageError(
                    f"{path} is no answer of Prometheus: {str(pair)[:60]} is no sample"
                ) from exc
            if math.isfinite(at):
                yield Sample(str(name), complete, value, round(at * 1000))


def _mapping(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}


def _complete(labels: Mapping[str, str]) -> Labels:
    """Return labels in one form, so that two recordings of a series are one series."""
    return tuple(sorted((name, value) for name, value in labels.items() if value))
