"""The three faults on the lab with a scripted approver: from the alarm to recovered, and the act.

Prints one JSON object. Every fault has a lab and an engine of its own, over the real protocols and
in real time. `--record DIR` keeps each incident's postmortem.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from petops.app import SystemClock
from petops.config.environment import settings_from, use_environment
from petops.domain.change import Proposal, Risk
from petops.domain.incident import Incident
from petops.domain.phases import AT_REST, Phase
from petops.domain.policy import Identity
from petops.domain.requests import ApproveRemedy
from petops.domain.stages import stages
from petops.engine.embedded import Embedded
from petops.lab.running import Lab
from petops.lab.world import World
from petops.ports import KubernetesCalls
from petops.programs import chaos
from petops.programs.daemon import serving
from petops.programs.postmortem import document, markdown
from petops.programs.telling import told
from petops.scenarios import BEHAVIOURS, CATALOGUE

CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "memory-leak": ("restart-workload",),
    "cpu-throttling": ("raise-cpu-limit",),
    "node-pressure": ("cordon-node",),
}
LONGEST_SECONDS: Final = 300.0
SECOND: Final = {
    "user": "second",
    "channel": "socket",
    "kubernetes_user": "lab-admin",
    "kubernetes_groups": ["system:masters"],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """A lab with an engine on it, and the two people who decide."""

    calls: KubernetesCalls
    engine: Embedded
    second: Embedded


@asynccontextmanager
async def staged() -> AsyncIterator[Staged]:
    """Bring up a lab and an engine for as long as the block lasts."""
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="petops-bench-")))
        world = World(clock, behaviours=BEHAVIOURS)
        lab = await stack.enter_async_context(Lab.started(folder / "lab", clock=clock, world=world))
        use_environment(lab.environment())
        settings = replace(settings_from(None).settings, person=(SECOND,))
        served = await stack.enter_async_context(serving(settings, lambda _: None, http=False))
        running = served.running
        await running.myself.learn()
        second = Identity(user="second", channel="socket")
        yield Staged(
            calls=running.calls,
            engine=Embedded(running.engine, running.myself()),
            second=Embedded(running.engine, second),
        )


async def repaired(fault: str, wanted: Sequence[str], record: Path | None) -> dict[str, Any]:
    """Inject a fault, approve what is wanted of what is offered, and wait until it is over."""
    scenario = CATALOGUE[fault]
    async with staged() as at:
        telling = asyncio.create_task(_told(at.engine))
        began = time.monotonic()
        await chaos.apply(at.calls, scenario, ttl=chaos.time_to_live("10m"))
        found = await _until(at.engine, {Phase.WAITING})
        waiting = time.monotonic() - began
        choice = _choice(found, wanted)
        asked = time.monotonic()
        if why := await _approved(at, found, choice):
            found = (await at.engine.board()).incidents[found.id]
            _recorded(record, fault, found)
            return _figures(found, choice) | {"refused": why}
        await _until(at.engine, {Phase.WATCHING, Phase.RECOVERED, *AT_REST})
        applied = time.monotonic() - asked
        await _until(at.engine, {Phase.RECOVERED, *AT_REST})
        found = await _until(at.engine, set(AT_REST))
        telling.cancel()
        _recorded(record, fault, found)
        return _figures(found, choice) | {
            "injection_to_proposal_seconds": round(waiting, 1),
            "approval_to_applied_seconds": round(applied, 3),
        }


async def _told(engine: Embedded) -> None:
    """Tell what happens on stderr, for whoever waits."""
    async for entry in engine.entries(after=0):
        line = told(entry.event)[0].text
        sys.stderr.write(f"{entry.event.at:%H:%M:%S} {entry.incident} {line}\n")


def _figures(found: Incident, choice: Proposal) -> dict[str, Any]:
    took = stages(found)
    return {
        "approved": choice.remedy,
        "offered": [one.remedy for one in found.proposals],
        "withheld": dict(found.withheld),
        "investigate_seconds": took.investigate_seconds,
        "act_seconds": took.act_seconds,
        "recover_seconds": took.recover_seconds,
        "alarm_to_recovered_seconds": took.mttr_seconds,
        "ended": str(found.phase),
    }


def _choice(found: Incident, wanted: Sequence[str]) -> Proposal:
    on_offer = {one.remedy: one for one in found.on_offer}
    name = next((one for one in wanted if one in on_offer), None)
    if name is None:
        raise SystemExit(f"none of {wanted} is on offer, but {list(on_offer)}")
    return on_offer[name]


async def _approved(at: Staged, found: Incident, choice: Proposal) -> str:
    """Approve it, by two people where it needs two; return why that was refused, if it was."""
    people = (at.engine, at.second) if choice.risk is Risk.RED else (at.engine,)
    for person in people:
        request = ApproveRemedy(id=str(uuid.uuid4()), incident=found.id, digest=choice.digest)
        entry = await person.submit(request)
        if why := getattr(entry.event, "why", ""):
            return str(why)
    return ""


async def _until(engine: Embedded, phases: set[Phase]) -> Incident:
    async with asyncio.timeout(LONGEST_SECONDS * 3):
        while True:
            found = next(iter((await engine.board()).incidents.values()), None)
            if found is not None and found.phase in phases:
                return found
            await asyncio.sleep(0.02)


def _recorded(folder: Path | None, fault: str, found: Incident) -> None:
    if folder is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{fault}.md").write_text(markdown(found), encoding="utf-8")
    text = json.dumps(document(found), indent=2)
    (folder / f"{fault}.json").write_text(text + "\n", encoding="utf-8")


def main() -> None:
    """Print the figures of every fault, or of those that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("faults", nargs="*", default=list(CHOICES))
    parser.add_argument("--choose", action="append", help="remedy to approve, in place of ours")
    parser.add_argument("--record", type=Path, help="folder for the postmortems")
    given = parser.parse_args()
    figures = {}
    for fault in given.faults:
        wanted = tuple(given.choose or CHOICES[fault])
        figures[fault] = asyncio.run(repaired(fault, wanted, given.record))
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
