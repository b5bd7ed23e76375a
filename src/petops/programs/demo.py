"""The demo: one leak on the lab, from injection to a recovery that is watched, told live."""

from __future__ import annotations

import asyncio
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from petops.app import Running, SystemClock
from petops.config.environment import settings_from, use_environment
from petops.domain.change import Advice, Proposal
from petops.domain.events import ApprovalRefused, Entry
from petops.domain.evidence import PodScope, Signal, Window
from petops.domain.incident import Incident
from petops.domain.phases import AT_REST, Phase
from petops.domain.requests import ApproveRemedy
from petops.engine.embedded import Embedded
from petops.errors import PetopsError, SourceError
from petops.lab.running import Lab
from petops.lab.world import World
from petops.programs import chaos
from petops.programs.daemon import serving
from petops.programs.following import until
from petops.programs.printing import Printer, note
from petops.programs.telling import Line, short, stage_lines, state
from petops.scenarios import BEHAVIOURS, CATALOGUE
from petops.scenarios.base import Scenario

SCENARIO = "memory-leak"
TTL = timedelta(minutes=10)
ALARM_SECONDS = 180.0
DIAGNOSIS_SECONDS = 240.0
RECOVERY_SECONDS = 300.0
WATCH_SECONDS = 900.0
# Where no cause is seen yet the engine asks again: what is too fresh shows a little later.
_DECIDABLE = frozenset({Phase.WAITING, *AT_REST} - {Phase.UNEXPLAINED})
_DONE = frozenset({Phase.RECOVERED, *AT_REST})
_WELL = frozenset({Phase.VERIFIED, Phase.MITIGATED, Phase.RESOLVED, Phase.RECOVERED})


async def told_live(*, headless: bool) -> int:
    """Tell one incident; return 0 only if it recovered."""
    printer, clock = Printer(), SystemClock()
    began = clock.now()
    printer.say("petops demo: a memory leak, on the lab, in real time", "bold")
    async with _stage(clock) as stage:
        ready = (clock.now() - began).total_seconds()
        printer.say(
            f"lab ready in {ready:.1f} s: {stage.running.cluster.name} with a Kubernetes API, "
            "Prometheus with an hour of history, SQS and EventBridge"
        )
        printer.say(f"its Slack, with the same incident and its buttons: {stage.lab.slack.url}")
        story = _Story(stage, printer, clock, headless=headless)
        return await story.told()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stage:
    """The lab, and the engine that knows it only by its protocols."""

    lab: Lab
    running: Running
    engine: Embedded


@asynccontextmanager
async def _stage(clock: SystemClock) -> AsyncIterator[_Stage]:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="petops-demo-")))
        lab = await stack.enter_async_context(
            Lab.started(
                folder / "lab",
                clock=clock,
                world=World(clock, behaviours=BEHAVIOURS),
                on_trouble=note,
            )
        )
        use_environment(lab.environment())
        settings = settings_from(None).settings
        served = await stack.enter_async_context(serving(settings, note, http=False))
        await served.running.myself.learn()
        engine = Embedded(served.running.engine, served.running.myself())
        yield _Stage(lab=lab, running=served.running, engine=engine)


class _Story:
    """Tells what happens, each line with the seconds since the fault was injected."""

    def __init__(
        self, stage: _Stage, printer: Printer, clock: SystemClock, *, headless: bool
    ) -> None:
        self._stage = stage
        self._printer = printer
        self._clock = clock
        self._headless = headless
        self._began = clock.now()
        self._seq = 0  # the last entry that was told

    async def told(self) -> int:
        scenario = CATALOGUE[SCENARIO]
        self._began = self._clock.now()
        await chaos.apply(self._stage.running.calls, scenario, ttl=TTL)
        self._say(f"injected {scenario.name}: {scenario.summary}")
        incident = await self._until_opened(scenario)
        found = await until(
            self._stage.engine, incident, _DECIDABLE, self._tell, seconds=DIAGNOSIS_SECONDS
        )
        if found.phase is not Phase.WAITING:
            self._say(f"there is nothing to approve: it is {found.phase}", "bold red")
            return 1
        found = await self._decided(found)
        found = await self._until(found, _DONE, RECOVERY_SECONDS)
        recovered = found.recovered
        found = await self._until(found, AT_REST, WATCH_SECONDS)
        await chaos.remove(self._stage.running.calls, scenario)
        self._say("the fault is taken back")
        self._end(found)
        return 0 if recovered is not None and found.phase in _WELL else 1

    async def _until_opened(self, scenario: Scenario) -> str:
        """Show how memory climbs until the alarm has opened an incident."""
        seen = asyncio.create_task(self._opened())
        try:
            async with asyncio.timeout(ALARM_SECONDS):
                while not seen.done():
                    await self._climb(scenario)
                    await asyncio.wait({seen}, timeout=5)
                return await seen
        except TimeoutError:
            raise PetopsError(f"no alarm came within {ALARM_SECONDS:g} s") from None
        finally:
            seen.cancel()

    async def _opened(self) -> str:
        async for entry in self._stage.engine.entries(after=0):
            if entry.incident.startswith("INC"):
                return entry.incident
        raise PetopsError("the engine ended")

    async def _climb(self, scenario: Scenario) -> None:
        """Print a bar of the injected pod's memory over its limit, as Prometheus has it."""
        now = self._clock.now()
        running = self._stage.running
        subject = chaos.target(scenario, running.cluster.name)
        try:
            pods = (await running.cluster.pods(subject)).value
            scope = PodScope(namespace=subject.namespace, pods=tuple(one.name for one in pods))
            window = Window.before(now, timedelta(minutes=1))
            read = await running.metrics.read(Signal.MEMORY_WORKING_SET_BYTES, scope, window)
        except SourceError:
            return
        latest = [one.samples[-1].value for one in read.series if one.samples]
        limits = [c.memory_limit_bytes for one in pods for c in one.containers]
        if latest and limits and limits[0]:
            self._say(_bar(max(latest), limits[0]))

    async def _decided(self, found: Incident) -> Incident:
        choice = _choice(found)
        if not self._headless and not await _confirmed(found, choice):
            raise PetopsError("nothing was approved")
        request = ApproveRemedy(id=str(uuid.uuid4()), incident=found.id, digest=choice.digest)
        entry = await self._stage.engine.submit(request)
        if isinstance(entry.event, ApprovalRefused):
            raise PetopsError(f"the approval was refused: {entry.event.why}")
        return (await self._stage.engine.board()).incidents[found.id]

    async def _until(self, found: Incident, phases: frozenset[Phase], seconds: float) -> Incident:
        return await until(
            self._stage.engine, found.id, phases, self._tell, after=self._seq, seconds=seconds
        )

    def _tell(self, entry: Entry, lines: Iterable[Line]) -> None:
        self._seq = entry.seq
        event = entry.event
        self._printer.lines(lines, prefix=self._mark(event.at))

    def _say(self, text: str, style: str = "") -> None:
        self._printer.lines([Line(text=text, style=style)], prefix=self._mark(self._clock.now()))

    def _mark(self, at: datetime) -> str:
        return f"+{max(0.0, (at - self._began).total_seconds()):6.1f}  "

    def _end(self, found: Incident) -> None:
        self._printer.lines(stage_lines(found))
        self._printer.say(f"{found.id} is {state(found)}", "bold")


def _choice(found: Incident) -> Proposal:
    """Return the change that stands first."""
    return next(one for one in found.on_offer if not isinstance(one.change, Advice))


async def _confirmed(found: Incident, choice: Proposal) -> bool:
    """Ask the person at the terminal, naming cluster, namespace and target."""
    subject = choice.change.subject
    question = (
        f"{choice.change.summary}\n  cluster {subject.cluster}, namespace {subject.namespace}, "
        f"{subject.kind} {subject.name}, digest {short(choice.digest)}\napprove? [y/N] "
    )
    answer = await asyncio.to_thread(input, question)
    return answer.strip().lower() in {"y", "yes"} and bool(found.on_offer)


def _bar(now_bytes: float, limit_bytes: float) -> str:
    """Return memory over its limit as a bar and in figures."""
    width, mib = 24, 1024 * 1024
    full = min(width, round(width * now_bytes / limit_bytes))
    bar = "#" * full + "." * (width - full)
    return f"memory [{bar}] {now_bytes / mib:.0f} of {limit_bytes / mib:.0f} MiB"
