"""Container lifetimes in series that do not say which container they are of.

Where the labels `id` and `name` were dropped, one series holds all containers that a pod had one
after the other: each restart looks like a fall. They are told apart by when they started. Pure.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from petops.domain.evidence import Sample, Signal
from petops.domain.facts import Pod

Key = tuple[str, str, str]
Samples = Mapping[Key, tuple[Sample, ...]]
# Kubernetes counts starts in whole seconds, cAdvisor and the clock of its scrape a little apart.
SAME_START_SECONDS: Final = 10.0


def told_apart(
    answers: Mapping[Signal, Samples], pods: Mapping[str, Pod]
) -> dict[Signal, dict[Key, tuple[Sample, ...]]]:
    """Return the samples by pod, container and container; what has an id stays as it is."""
    starts = {
        key: known
        for key in {one for each in answers.values() for one in each if not one[2]}
        if len(known := _starts(key, answers.get(Signal.STARTED_SECONDS, {}), pods)) > 1
    }
    found: dict[Signal, dict[Key, tuple[Sample, ...]]] = {}
    for signal, by_key in answers.items():
        kept = found.setdefault(signal, {})
        for key, samples in by_key.items():
            kept |= _cut(key, samples, starts[key]) if key in starts else {key: samples}
    return found


def _starts(key: Key, started: Samples, pods: Mapping[str, Pod]) -> tuple[datetime, ...]:
    """Return when its containers started, by cAdvisor and by the pod's status; the oldest first."""
    moments = [datetime.fromtimestamp(one.value, UTC) for one in started.get(key, ()) if one.value]
    pod = pods.get(key[0])
    for one in pod.containers if pod is not None else ():
        if one.name == key[1]:
            ended = one.last_stop.started_at if one.last_stop is not None else None
            moments += [at for at in (one.started_at, ended) if at is not None]
    return _distinct(moments)


def _distinct(moments: Iterable[datetime]) -> tuple[datetime, ...]:
    kept: list[datetime] = []
    for at in sorted(moments):
        if not kept or (at - kept[-1]).total_seconds() > SAME_START_SECONDS:
            kept.append(at)
    return tuple(kept)


def _cut(
    key: Key, samples: tuple[Sample, ...], starts: tuple[datetime, ...]
) -> dict[Key, tuple[Sample, ...]]:
    """Return a series in pieces, one for each start; what is older than all is a piece, too."""
    pieces: dict[Key, list[Sample]] = {}
    for one in samples:
        place = (key[0], key[1], f"start {bisect_right(starts, one.at)}")
        pieces.setdefault(place, []).append(one)
    return {place: tuple(kept) for place, kept in pieces.items()}
