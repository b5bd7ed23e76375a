"""A recorded case's metrics, put into a running Prometheus with the times of their recording."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from petops.errors import UsageError
from petops.lab.exposition import Labels, Sample
from petops.lab.remote_write import Timeline, push


async def load_recorded(folder: Path, prometheus_url: str) -> int:
    """Push a recorded case's samples; return how many there were."""
    timeline = Timeline()
    timeline.add(sorted(recorded_samples(folder), key=_time))
    return await push(timeline, prometheus_url)


def recorded_samples(folder: Path) -> Iterator[Sample]:
    """Yield everything that a case recorded, with its time and its scrape's labels, in no order.

    Of the Prometheus answers, only series that were asked for as they are: what a function or an
    operator made has no name.
    """
    if not (folder / "nodes.json").is_file():
        raise UsageError(f"there is no recorded case at {folder}")
    node = _node(folder)
    scrapes = [*folder.glob("cadvisor-over-time/*.prom"), folder / "cadvisor.prom"]
    for path in scrapes:
        yield from _scraped(path, "cadvisor", node)
    yield from _scraped(folder / "resource.prom", "resource", node)
    for path in folder.glob("prometheus/*.range.json"):
        yield from _queried(json.loads(path.read_text(encoding="utf-8")))


def _time(sample: Sample) -> int:
    return sample.at_ms or 0


def _node(folder: Path) -> str:
    """Return the recorded node's name; a recording is of one node."""
    nodes = json.loads((folder / "nodes.json").read_text(encoding="utf-8"))
    return str(nodes["items"][0]["metadata"]["name"])


def _scraped(path: Path, job: str, node: str) -> Iterator[Sample]:
    """Yield one scrape; what has no time of its own was seen when the latest of it was."""
    if not path.exists():
        return
    scrape = {"instance": node, "job": job, "node": node}
    families = text_string_to_metric_families(path.read_text(encoding="utf-8"))
    samples = [sample for family in families for sample in family.samples]
    times = [round(float(one.timestamp) * 1000) for one in samples if one.timestamp is not None]
    if not times:
        return
    seen_at = max(times)
    for one in samples:
        at = seen_at if one.timestamp is None else round(float(one.timestamp) * 1000)
        yield Sample(one.name, _complete({**scrape, **one.labels}), one.value, at)


def _queried(recording: dict[str, Any]) -> Iterator[Sample]:
    for series in recording["response"]["data"]["result"]:
        labels = dict(series["metric"])
        name = labels.pop("__name__", None)
        if name is None:
            continue
        for seconds, value in series["values"]:
            at = round(seconds * 1000)
            yield Sample(name, _complete(labels), float(value), at)


def _complete(labels: Mapping[str, str]) -> Labels:
    """Return labels in one form, so that two recordings of a series are one series."""
    return tuple(sorted((name, value) for name, value in labels.items() if value))
