"""What the program in a container does: memory, CPU, answers and log, from its manifest alone.

A `Behaviour` is a set of functions of the seconds since the program started; nothing in it depends
on what was looked at before. `ordinary` is every program that has no behaviour of its own: it stays
at a plateau, and honours some environment variables:

- `LEAK_MIB_PER_SECOND`: how much more it keeps each second;
- `TTL_SECONDS`, counted from the pod's creation, or `EXPIRES_AT`: when it stops leaking, lets go of
  everything and idles;
- `BASELINE_MIB`: where it begins (else about a third of its memory limit);
- `CPU_CORES`: what it wants of CPU beside what requests cost;
- `STARTS_AFTER_SECONDS`, `STOPS_WITHIN_SECONDS`: when it listens, and how long it takes to end;
- `UNREADY_AFTER_SECONDS`, `UNHEALTHY_AFTER_SECONDS`: from when on its probes answer 503;
- `WRITES_MIB_PER_SECOND`: how much more of its node's disk it takes each second;
- `EXITS_AFTER_SECONDS` with `EXIT_CODE` (else 1): when it ends by itself.
"""

from __future__ import annotations

import contextlib
import functools
import json
import math
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from petops.lab.chance import Chance
from petops.lab.command_lines import ending
from petops.lab.quantities import MIB, amount, moment, stamp
from petops.lab.store import Json

SCENARIO_LABEL: Final = "petops.dev/scenario"
KERNEL_BYTES: Final = int(1.5 * MIB)
ACTIVE_CACHE_RATIO: Final = 0.35

_PLATEAU_RATIO: Final = 0.33
_PLATEAU_OF_REQUEST_RATIO: Final = 0.7
_SMALL_MIB: Final = 24.0
_NOISES: Final = ("rss", "cache", "cpu", "latency")
_NOISE_RATIO: Final = 0.02
_IDLE_MIB: Final = 12.0
_LOG_SECONDS: Final = 10.0
_SECONDS: Final = {
    "STARTS_AFTER_SECONDS": "listens_after",
    "STOPS_WITHIN_SECONDS": "stops_within",
    "EXITS_AFTER_SECONDS": "exits_after",
}
_UNTIL: Final = {"UNREADY_AFTER_SECONDS": "is_ready", "UNHEALTHY_AFTER_SECONDS": "is_live"}
_LEAK_LOG_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What a pod's specification says of one container, and a seed for its noise."""

    name: str
    image: str
    labels: Mapping[str, str]
    environment: Mapping[str, str]
    memory_limit_bytes: int | None
    memory_request_bytes: int | None
    cpu_limit_cores: float | None
    cpu_request_cores: float = 0.0
    pod_created_at: datetime
    started_at: datetime
    chance: Chance
    key: tuple[str, ...]
    """Tells the noise of one container from that of another."""
    command: tuple[str, ...] = ()
    runs_once: bool = False
    """Whether its pod is not restarted for ever."""
    node_available: Callable[[], int] = int
    """What the node has left of its memory when the program starts, to be asked then only."""

    @classmethod
    def of(
        cls,
        pod: Json,
        container: Json,
        chance: Chance,
        now: datetime,
        node_available: Callable[[], int] = int,
    ) -> Program:
        """Read a container of a pod that starts now."""
        resources = container.get("resources") or {}
        limit, request = (
            amount(resources, "limits", "memory"),
            amount(resources, "requests", "memory"),
        )
        return cls(
            name=container["name"],
            image=container["image"],
            labels=pod["metadata"].get("labels") or {},
            environment={
                one["name"]: str(one.get("value", "")) for one in container.get("env") or ()
            },
            memory_limit_bytes=None if limit is None else int(limit),
            memory_request_bytes=None if request is None else int(request),
            cpu_limit_cores=amount(resources, "limits", "cpu"),
            cpu_request_cores=amount(resources, "requests", "cpu") or 0.0,
            pod_created_at=moment(pod["metadata"]["creationTimestamp"]),
            started_at=now,
            chance=chance,
            key=(pod["metadata"]["uid"], container["name"]),
            command=(*(container.get("command") or ()), *(container.get("args") or ())),
            runs_once=pod["spec"].get("restartPolicy", "Always") != "Always",
            node_available=node_available,
        )

    def number(self, name: str, default: float) -> float:
        """Return an environment variable as a number; the default where it is none."""
        try:
            value = float(self.environment.get(name, ""))
        except ValueError:
            return default
        return value if math.isfinite(value) else default

    @property
    def lasts_seconds(self) -> float:
        """How long after its start the program goes on with what it was started for."""
        age = (self.started_at - self.pod_created_at).total_seconds()
        lasts = self.number("TTL_SECONDS", math.inf) - age
        with contextlib.suppress(ValueError):
            expires = moment(self.environment.get("EXPIRES_AT", ""))
            lasts = min(lasts, (expires - self.started_at).total_seconds())
        return lasts


OfSeconds = Callable[[float], float]
LogWriter = Callable[[float, float], Iterable[tuple[float, str]]]


def _nothing_written(since: float, until: float) -> Iterable[tuple[float, str]]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What a program does, by the seconds since it started.

    `most_bytes` is what its RSS never exceeds: where that stays below the limit, nobody has to
    watch it. `exits_after` is the second at which it ends by itself, with `exit_code`.
    `writes(since, until)` gives its log: JSON objects without a time, or plain text.
    """

    rss_bytes: OfSeconds
    cache_bytes: OfSeconds
    cpu_cores: OfSeconds
    most_bytes: float = math.inf
    cpu_seconds_per_request: float = 0.004
    listens_after: float = 0.8
    stops_within: float = 0.6
    is_ready: Callable[[float], bool] | None = None
    is_live: Callable[[float], bool] | None = None
    exits_after: float | None = None
    exit_code: int = 1
    disk_bytes: OfSeconds = field(default=lambda seconds: 0.0)
    error_ratio: OfSeconds = field(default=lambda seconds: 0.001)
    latency_seconds: OfSeconds = field(default=lambda seconds: 0.03)
    writes: LogWriter = _nothing_written

    def working_set_bytes(self, seconds: float, limit: int | None) -> int:
        """Return what the kernel counts against the limit: the page cache gives way first."""
        return self.memory(seconds, limit)[2]

    def memory(self, seconds: float, limit: int | None) -> tuple[int, int, int, int]:
        """Return RSS, page cache, working set and usage in bytes."""
        rss, cache = int(self.rss_bytes(seconds)), int(self.cache_bytes(seconds))
        if limit is not None:
            rss = min(rss, limit - KERNEL_BYTES)
            cache = max(min(cache, limit - KERNEL_BYTES - rss), 0)
        usage = rss + cache + KERNEL_BYTES
        return rss, cache, usage - int(cache * (1 - ACTIVE_CACHE_RATIO)), usage


BehaviourOf = Callable[[Program], Behaviour]
Behaviours = Mapping[str, BehaviourOf]
"""Behaviour by the pod template's label `petops.dev/scenario`."""


def behaviour_of(program: Program, behaviours: Behaviours) -> Behaviour:
    """Return what a program does: its scenario's behaviour, else the ordinary one."""
    return behaviours.get(program.labels.get(SCENARIO_LABEL, ""), ordinary)(program)


def ordinary(program: Program) -> Behaviour:
    """A service at its plateau, or one that leaks from there if its environment says so."""
    baseline = program.number("BASELINE_MIB", _plateau_mib(program))
    leak = max(program.number("LEAK_MIB_PER_SECOND", 0.0), 0.0)
    writes = max(program.number("WRITES_MIB_PER_SECOND", 0.0), 0.0)
    lasts, busy = program.lasts_seconds, max(program.number("CPU_CORES", 0.0), 0.0)
    noise_of = {name: program.chance.wobble(name, *program.key) for name in _NOISES}
    cached_mib = 8 + 2 * program.chance.unit("cached", *program.key)

    def rss_bytes(seconds: float) -> float:
        if seconds >= lasts:
            return _IDLE_MIB * MIB
        warm = min(0.5 + seconds / 4, 1.0)
        noise = 1 + _NOISE_RATIO * noise_of["rss"](seconds)
        return (baseline * warm * noise + leak * math.floor(seconds)) * MIB

    def cache_bytes(seconds: float) -> float:
        return (cached_mib + 0.5 * noise_of["cache"](seconds)) * MIB

    def cpu_cores(seconds: float) -> float:
        return busy + 0.012 + 0.006 * (1 + noise_of["cpu"](seconds))

    return Behaviour(
        **_told(program),
        rss_bytes=rss_bytes,
        cache_bytes=cache_bytes,
        cpu_cores=cpu_cores,
        most_bytes=math.inf if leak else baseline * (1 + _NOISE_RATIO) * MIB,
        disk_bytes=lambda seconds: writes * min(seconds, lasts) * MIB,
        error_ratio=lambda seconds: 0.001,
        latency_seconds=lambda seconds: 0.03 + 0.004 * noise_of["latency"](seconds),
        writes=_log(program, leak, lasts),
    )


def _told(program: Program) -> dict[str, Any]:
    """Return what the environment says of starting, ending and probes."""
    found = ending(program.command, runs_once=program.runs_once)
    for variable, name in _SECONDS.items():
        seconds = program.number(variable, -1.0)
        if seconds >= 0:
            found[name] = seconds
    for variable, name in _UNTIL.items():
        seconds = program.number(variable, -1.0)
        if seconds >= 0:
            found[name] = functools.partial(operator.gt, seconds)
    if "EXITS_AFTER_SECONDS" in program.environment:
        found["exit_code"] = int(min(max(program.number("EXIT_CODE", 1.0), 0.0), 255.0))
    return found


def _plateau_mib(program: Program) -> float:
    if program.memory_limit_bytes is not None:
        return program.memory_limit_bytes * _PLATEAU_RATIO / MIB
    if program.memory_request_bytes is not None:
        return program.memory_request_bytes * _PLATEAU_OF_REQUEST_RATIO / MIB
    return _SMALL_MIB


def _log(program: Program, leak: float, lasts: float) -> LogWriter:
    logger = program.labels.get("app", program.name)
    port = program.environment.get("PORT", "8080")

    def writes(since: float, until: float) -> Iterator[tuple[float, str]]:
        first: list[tuple[float, Json]] = [
            (0.1, {"level": "INFO", "logger": logger, "msg": "starting", "pid": 1}),
            (
                0.8,
                {
                    "level": "INFO",
                    "logger": logger,
                    "msg": "listening",
                    "port": int(port) if port.isdecimal() else port,
                },
            ),
        ]
        yield from ((at, json.dumps(line)) for at, line in first if since <= at < until)
        every = _LEAK_LOG_SECONDS if leak else _LOG_SECONDS
        for step in range(max(math.ceil(since / every), 1), math.ceil(until / every)):
            at = step * every
            if leak and at < lasts:
                line = {
                    "level": "INFO",
                    "msg": "cache refreshed",
                    "entries": step,
                    "cache_mib": round(leak * at, 1),
                }
            else:
                line = {"level": "INFO", "msg": "requests answered", "count": step * 30}
            yield at, json.dumps({"logger": logger, **line})

    return writes


def dated(started: datetime, seconds: float, text: str) -> tuple[datetime, str]:
    """Return a log line with its time, which a JSON line also carries as `ts`."""
    at = started + timedelta(seconds=seconds)
    if text.startswith("{"):
        return at, json.dumps({"ts": stamp(at), **json.loads(text)})
    return at, text
