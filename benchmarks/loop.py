"""The loop on the lab: from a queued alarm to the incident, the investigation, and the recovery.

Prints one JSON object. Everything is in real time, on one lab with one engine in this process.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from petops.app import SystemClock
from petops.config.environment import settings_from, use_environment
from petops.domain.change import Advice
from petops.domain.incident import Incident
from petops.domain.phases import AT_REST, Phase
from petops.domain.requests import ApproveRemedy
from petops.domain.stages import stages
from petops.engine.embedded import Embedded
from petops.lab.running import Lab
from petops.lab.world import World
from petops.programs import chaos
from petops.programs.daemon import serving
from petops.scenarios import BEHAVIOURS, CATALOGUE

EVENTS = 20
STARTS = 7
MIB = 1024 * 1024


def spread(values: Sequence[float]) -> dict[str, float]:
    """Minimum, median and maximum."""
    found = sorted(values)
    return {
        "min": round(found[0], 4),
        "median": round(statistics.median(found), 4),
        "max": round(found[-1], 4),
    }


async def measured() -> dict[str, Any]:
    """Bring up a lab, and measure one thing after the other."""
    clock, began = SystemClock(), time.monotonic()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="petops-bench-")))
        world = World(clock, behaviours=BEHAVIOURS)
        lab = await stack.enter_async_context(Lab.started(folder / "lab", clock=clock, world=world))
        ready = time.monotonic() - began
        use_environment(lab.environment())
        served = await stack.enter_async_context(
            serving(settings_from(None).settings, lambda _: None, http=False)
        )
        await served.running.myself.learn()
        engine = Embedded(served.running.engine, served.running.myself())
        queued = [await _queued_to_incident(lab, engine, index) for index in range(EVENTS)]
        found = await _leak(served.running.calls, engine)
        return {
            "lab_ready_seconds": round(ready, 2),
            "lab_and_engine_mib": round(_resident_mib(lab)),
            "queue_to_incident_seconds": spread(queued),
            "leak": found,
        }


async def _queued_to_incident(lab: Lab, engine: Embedded, index: int) -> float:
    """Put an alarm event on EventBridge; return the seconds until its incident is journaled."""
    seq = (await engine.board()).seq
    now = datetime.now(UTC)
    name = f"bench-{index}"
    event = {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "CloudWatch Alarm State Change",
        "source": "aws.cloudwatch",
        "account": "111122223333",
        "time": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": "us-east-1",
        "resources": [f"arn:aws:cloudwatch:us-east-1:111122223333:alarm:{name}"],
        "detail": {
            "alarmName": name,
            "configuration": {"metrics": []},
            "previousState": {"value": "OK", "timestamp": now.isoformat()},
            "state": {"value": "ALARM", "reason": "a test", "timestamp": now.isoformat()},
        },
    }
    began = time.monotonic()
    await lab.aws.put_event(event)
    async for entry in engine.entries(after=seq):
        incident = (await engine.board()).incidents.get(entry.incident)
        if incident is not None and incident.alarm.name == name:
            return time.monotonic() - began
    raise AssertionError("the engine ended")


async def _leak(calls: Any, engine: Embedded) -> dict[str, Any]:
    """Inject a leak, approve the first change, wait for the end; return where the time went."""
    scenario = CATALOGUE["memory-leak"]
    known = set((await engine.board()).incidents)
    began = time.monotonic()
    await chaos.apply(calls, scenario, ttl=chaos.time_to_live("10m"))
    incident = await _until(engine, known, {Phase.WAITING})
    waiting = time.monotonic() - began
    choice = next(one for one in incident.on_offer if not isinstance(one.change, Advice))
    request = ApproveRemedy(id=str(uuid.uuid4()), incident=incident.id, digest=choice.digest)
    await engine.submit(request)
    incident = await _until(engine, known, {Phase.RECOVERED, *AT_REST})
    recovered = time.monotonic() - began
    incident = await _until(engine, known, set(AT_REST))
    await chaos.remove(calls, scenario)
    found = stages(incident)
    return {
        "injection_to_proposal_seconds": round(waiting, 1),
        "injection_to_recovered_seconds": round(recovered, 1),
        "investigate_seconds": found.investigate_seconds,
        "act_seconds": found.act_seconds,
        "recover_seconds": found.recover_seconds,
        "ended": str(incident.phase),
    }


async def _until(engine: Embedded, known: set[str], phases: set[Phase]) -> Incident:
    while True:
        for incident in (await engine.board()).incidents.values():
            if incident.id not in known and incident.phase in phases:
                return incident
        await asyncio.sleep(0.05)


def _resident_mib(lab: Lab) -> float:
    """Return the memory of this process, which holds lab and engine, and of the lab's programs."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return own + sum(_rss_mib(one.pid) for one in lab.programs)


def _rss_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/statm")
    if not status.exists():
        return 0.0
    return int(status.read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / MIB


def help_seconds() -> dict[str, float]:
    """Time `petops --help` as a user would, in a process of its own."""
    times = []
    for _ in range(STARTS):
        began = time.monotonic()
        subprocess.run(
            [sys.executable, "-m", "petops", "--help"], stdout=subprocess.DEVNULL, check=True
        )
        times.append(time.monotonic() - began)
    return spread(times)


def main() -> None:
    """Print the figures."""
    figures = asyncio.run(measured()) | {"help_seconds": help_seconds()}
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
