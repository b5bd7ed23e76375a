"""Is this machine's clock right? By the clocks of those that it speaks to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from petops.config import Settings
from petops.errors import PetopsError, SourceError
from petops.programs import doctor_cluster, doctor_metrics
from petops.programs.doctor_check import Check, broken, ok, unknown, warning
from petops.sources.aws_identity import identity

CLOCK: Final = "clock"
NAMES: Final = (CLOCK,)
_NOTICED_SECONDS: Final = 5.0
_HARMFUL_SECONDS: Final = 60.0
_FIX: Final = "timedatectl status; run chrony or systemd-timesyncd"

ServerTime = Callable[[Settings], Awaitable[datetime]]


async def look(settings: Settings) -> Sequence[Check]:
    """Ask every server that tells its time."""
    asked: dict[str, ServerTime] = {
        "Kubernetes": doctor_cluster.server_time,
        "Prometheus": doctor_metrics.server_time,
    }
    if settings.cluster.region:
        asked["AWS"] = _aws_time
    async with asyncio.TaskGroup() as group:
        tasks = {name: group.create_task(_ahead(one, settings)) for name, one in asked.items()}
    return (judged({name: task.result() for name, task in tasks.items()}),)


async def _aws_time(settings: Settings) -> datetime:
    at = (await identity(settings.cluster.region)).at
    if at is None:
        raise SourceError("AWS did not date its answer")
    return at


async def _ahead(server_time: ServerTime, settings: Settings) -> float | None:
    """Return by how many seconds we are ahead of a server; None if it did not say."""
    before = datetime.now(UTC)
    try:
        there = await server_time(settings)
    except PetopsError:
        return None
    after = datetime.now(UTC)
    if there < before:
        return (before - there).total_seconds()
    return min(0.0, (after - there).total_seconds())


def judged(ahead: Mapping[str, float | None]) -> Check:
    """Say what the differences mean, the largest one first."""
    known = {name: seconds for name, seconds in ahead.items() if seconds is not None}
    if not known:
        return unknown(CLOCK, "no server told its time")
    name, seconds = max(known.items(), key=lambda item: abs(item[1]))
    if abs(seconds) <= _NOTICED_SECONDS:
        return ok(CLOCK, f"agrees with {', '.join(known)}")
    how = "ahead of" if seconds > 0 else "behind"
    told = f"this machine is {abs(seconds):.0f} s {how} {name}"
    if abs(seconds) <= _HARMFUL_SECONDS:
        return warning(CLOCK, told, _FIX)
    return broken(CLOCK, f"{told}: windows are wrong, and AWS refuses from 300 s on", _FIX)
