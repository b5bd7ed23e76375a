"""One random interleaving: people, expiries, object changes, crashes, restarts, two engines.

Everything is drawn from one seed and runs in virtual time. Each effect that reaches the cluster is
checked against the journal at that very moment; at the end no incident may be stuck.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from typing import NoReturn, cast

from petops.domain import events as ev
from petops.domain.alarm import AlarmState
from petops.domain.change import (
    Act,
    Cordon,
    DrainNode,
    DryRun,
    PodTarget,
    Progress,
    Proposal,
    Risk,
    Uncordon,
)
from petops.domain.incident import Board, Incident
from petops.domain.phases import AT_REST
from petops.domain.policy import Account, Identity, Person, Rules
from petops.domain.requests import (
    AnyRequest,
    ApproveRemedy,
    BreakGlass,
    CloseIncident,
    RejectRemedy,
    ReportAlarm,
    StopAct,
)
from petops.domain.subject import Subject
from petops.domain.terrain import NodeSite, Permission
from petops.engine.engine import Engine
from petops.engine.surroundings import Surroundings
from petops.errors import (
    DeniedError,
    ForbiddenError,
    OutcomeUnknownError,
    PetopsError,
    SourceError,
    StaleError,
)
from petops.journal.memory import MemoryJournal
from petops.ports import Cluster
from tests.engine.fleet import MODE, NODE, Fleet, sick_node
from tests.recorded import alarm, memory
from tests.virtual import VirtualClock

RULES = Rules(
    approval_expires=timedelta(seconds=60),
    recovery_deadline=timedelta(seconds=30),
    drain_deadline=timedelta(seconds=40),
    settle_deadline=timedelta(seconds=20),
    inverse_expires=timedelta(minutes=5),
    lapses_at_most=12,
    ask_again_after=(),
    acts_an_hour=50,
    acts_an_hour_on_workload=50,
    people=(Person(user="mallory", kubernetes_user="nobody"),),
)
PEOPLE = tuple(
    Identity(user=user, channel=channel)
    for user, channel in (
        ("alice", "socket"),
        ("bob", "slack"),
        ("alice", "slack"),
        ("mallory", "slack"),
        ("", "slack"),
    )
)
FAILURES: tuple[Callable[[], PetopsError], ...] = (
    lambda: SourceError("429"),
    lambda: OutcomeUnknownError("500"),
    lambda: ForbiddenError("403"),
    lambda: DeniedError("a webhook said no"),
)
STEPS = 40


class BrokenRuleError(AssertionError):
    """Something happened that never may."""


class SlowJournal(MemoryJournal):
    """A journal whose disk takes its time, before an entry is there and after."""

    chance = random.Random(0)  # noqa: S311 - no secret

    async def append(
        self, incident: str, expected: int, events: Sequence[ev.Event]
    ) -> tuple[ev.Entry, ...]:
        await asyncio.sleep(self.chance.choice((0.0, 0.0, 0.1)))
        stored = await super().append(incident, expected, events)
        await asyncio.sleep(self.chance.choice((0.0, 0.0, 0.5)))
        return stored

    def after(self, chance: random.Random) -> SlowJournal:
        self.chance = chance
        return self


class WildFleet(Fleet):
    """The fleet with calls that take their time, fail now and then, and check what reaches it."""

    def __init__(self, clock: VirtualClock, chance: random.Random) -> None:
        super().__init__(clock)
        self.chance = chance
        self.trouble = 0.0
        self.journal: MemoryJournal = SlowJournal().after(chance)
        self.generation = 0
        self.acted: Counter[str] = Counter()
        self.denied = {"nobody"}
        self.broken: list[str] = []

    def clock_now(self) -> datetime:
        return self._clock.now() - timedelta(seconds=5)  # a call may take a while to arrive

    async def _call(self, method: str) -> None:
        await asyncio.sleep(self.chance.choice((0.0, 0.01, 0.3, 2.0)))
        if self.chance.random() < self.trouble and method != "pods":
            raise self.chance.choice(FAILURES)()

    async def node(self, subject: Subject) -> NodeSite:
        await self._call("node")
        return await super().node(subject)

    async def may(self, permission: Permission, by: Account | None) -> bool:
        await self._call("may")
        return await super().may(permission, by)

    async def dry_run(self, change: Act) -> DryRun:
        await self._call("dry_run")
        return await super().dry_run(change)

    async def changed_since(self, change: Act) -> str | None:
        await self._call("changed_since")
        if isinstance(change, Cordon) and self.is_cordoned:
            return "it is cordoned already"
        if isinstance(change, DrainNode) and self.is_cordoned != change.was_cordoned:
            return "its cordon was changed"
        return await super().changed_since(change)

    async def apply(self, change: Act, act: str) -> None:
        await self._call("apply")
        if self.annotation != act and change.uid == self.uid:
            if isinstance(change, Cordon) and self.is_cordoned:
                raise StaleError("it is cordoned already")
            if isinstance(change, Uncordon) and not self.is_cordoned:
                raise StaleError("it is not cordoned")
            if isinstance(change, DrainNode) and self.is_cordoned != change.was_cordoned:
                raise StaleError("its cordon was changed")
            await self._check(change, act)
            self.acted[act] += 1
        await super().apply(change, act)
        await self._late()

    async def was_applied(self, change: Act, act: str) -> bool:
        await self._call("was_applied")
        return await super().was_applied(change, act)

    async def advance(self, change: Act, act: str) -> Progress:
        await self._call("advance")
        if self.annotation == act:
            await self._check(change, act)
        done = await super().advance(change, act)
        await self._late()
        return done

    async def _late(self) -> None:
        """The effect is there; the answer is on its way, and may be lost."""
        await asyncio.sleep(self.chance.choice((0.0, 0.0, 1.0)))
        if self.chance.random() < self.trouble:
            raise OutcomeUnknownError("the connection broke")

    async def _check(self, change: Act, act: str) -> None:
        """Nothing reaches the cluster without an intent, and none without a valid approval."""
        entries = [one.event for one in await self.journal.read(0, 1_000_000)]
        intents = [one for one in entries if isinstance(one, ev.ActIntended) and one.act == act]
        if len(intents) != 1 or intents[0].change != change:
            self._breaks(f"{act} has {len(intents)} intents")
        self._approved(entries, intents[0])
        if self.annotation != act and self.clock_now() > intents[0].at + RULES.settle_deadline:
            self._breaks(f"{act} was begun long after its approval")
        if change.uid != self.uid:
            self._breaks(f"{act} on an object that was made anew")

    def _approved(self, entries: list[ev.Event], intent: ev.ActIntended) -> None:
        before = entries[: entries.index(intent)]
        offers: dict[str, Proposal] = {}
        since = 0
        for place, event in enumerate(before):
            if isinstance(event, ev.RemediesProposed | ev.InverseOffered):
                found = {one.digest: one for one in event.proposals}
                if intent.digest in found:
                    offers, since = found, place
        offer = offers.get(intent.digest)
        if offer is None:
            self._breaks(f"{intent.act} was never on offer")
        given = [
            one
            for one in before[since:]
            if isinstance(one, ev.RemedyApproved | ev.ApprovalGiven) and one.digest == intent.digest
        ]
        if not given or not isinstance(given[-1], ev.RemedyApproved):
            self._breaks(f"{intent.act} was not approved")
        if any(one.at >= offer.expires_at for one in given) or intent.at >= offer.expires_at:
            self._breaks(f"{intent.act} rests on an approval that expired")
        users = {one.by.user for one in given}
        glass = any(
            isinstance(one, ev.BreakGlassUsed) and one.digest == intent.digest
            for one in before[since:]
        )
        if offer.risk is Risk.RED and len(users) < 2 and not glass:
            self._breaks(f"{intent.act} is red and was approved by {users}")
        if users & {"", "mallory"}:
            self._breaks(f"{intent.act} was approved by {users}")

    def _breaks(self, rule: str) -> NoReturn:
        """Keep what was broken: an engine takes what a call raises for a bug, and tries again."""
        self.broken.append(rule)
        raise BrokenRuleError(rule)


@dataclass
class Outcome:
    """What one interleaving came to, for the figures."""

    acts: int = 0
    evictions: int = 0
    deaths: int = 0
    takeovers: int = 0
    refusals: int = 0
    phases: Counter[str] = field(default_factory=Counter)


class Interleaving:
    """One seed's world, people and engines."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)  # noqa: S311 - no secret
        self.clock = VirtualClock()
        self.fleet = WildFleet(self.clock, self.chance)
        self.journal = self.fleet.journal
        self.engines: list[tuple[Engine, asyncio.Task[None]]] = []
        self.outcome = Outcome()
        self._ids = count(1)
        self._digests: list[str] = ["sha256:" + "0" * 64]
        names = ("cordon-node", "drain-node", "uncordon-node", "add-nodes")
        self._modes = {MODE: sick_node(self.fleet, names)}

    async def run(self) -> Outcome:
        """Play the seed through, then let everything come to rest."""
        await self._start()
        for _ in range(STEPS):
            await self.chance.choice(self._moves())()
            await asyncio.sleep(
                self.chance.choice((0.0, 0.0, 0.2, 1.0, 3.0, 5.0, 30.0, 30.0, 310.0))
            )
            self._watched()
        await self._at_rest()
        self._counted(await self._board())
        for _, task in self.engines:
            await _ended(task)
        self._watched()
        return self.outcome

    def _moves(self) -> list[Callable[[], Awaitable[None]]]:
        person = [
            *[self._report] * 4,
            *[self._approve] * 12,
            *[self._glass] * 3,
            self._reject,
            self._stop,
        ]
        world = [self._recreate, self._new_pod, self._new_pod, self._pod_leaves, self._hold]
        ends = [self._close, self._trouble, self._kill, self._take_over]
        return [*person, *world, self._cordon, *ends]

    async def _start(self) -> None:
        given = Surroundings(
            clock=self.clock,
            cluster=cast("Cluster", self.fleet),  # only what is asked of it
            metrics=self.fleet,
            actuator=self.fleet,
            site=self.fleet,
            assess=memory,
            new_id=lambda: f"act-{next(self._ids)}",
            rules=RULES,
            modes=self._modes,
        )
        engine = Engine(self.journal, given)
        ready = asyncio.Event()

        async def lives() -> None:
            async with engine.running():
                ready.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(lives())
        waits = asyncio.create_task(ready.wait())
        await asyncio.wait({task, waits}, return_when=asyncio.FIRST_COMPLETED)
        waits.cancel()
        self.engines.append((engine, task))

    async def _kill(self) -> None:
        _, task = self.engines.pop()
        await _ended(task)
        self.outcome.deaths += 1
        await asyncio.sleep(self.chance.choice((0.0, 1.0, 20.0, 90.0)))
        self._taken()
        await self._start()

    async def _take_over(self) -> None:
        """Another engine takes the journal while this one still works."""
        self._taken()
        self.outcome.takeovers += 1
        await self._start()

    def _taken(self) -> None:
        later = self.journal.taken_over()
        assert isinstance(later, SlowJournal)
        self.journal = self.fleet.journal = later.after(self.chance)

    async def _submit(self, request: AnyRequest, by: Identity) -> None:
        """Ask any engine that there is: one that was superseded says so, and does nothing."""
        engine, _ = self.chance.choice(self.engines[-2:])

        async def asks() -> None:
            with suppress(PetopsError):
                entry = await engine.submit(request, by)
                refused = isinstance(entry.event, ev.ApprovalRefused | ev.RequestRefused)
                self.outcome.refusals += refused

        if self.chance.random() < 0.5:
            await asks()
        else:
            self._later(asks())

    def _later(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._background = [*getattr(self, "_background", []), task]

    async def _report(self) -> None:
        state = self.chance.choice((*[AlarmState.ALARM] * 5, AlarmState.OK))
        now = self.clock.now()
        made = alarm(NODE, now, state=state, event_id=f"event-{next(self._ids)}")
        if self.chance.random() < 0.2:
            made = replace(made, fingerprint="another")
        request = ReportAlarm(id=f"request-{next(self._ids)}", alarm=made)
        await self._submit(request, PEOPLE[0])

    async def _offer(self) -> tuple[str, str]:
        """Return an incident and a digest: on offer mostly, else stale, or another's."""
        board = await self._board()
        incidents = list(board.incidents.values())
        if not incidents:
            return "INC-0001", self._digests[0]
        incident = self.chance.choice(incidents)
        self._digests += [one.digest for one in incident.on_offer]
        if incident.on_offer and self.chance.random() < 0.8:
            return incident.id, self.chance.choice(incident.on_offer).digest
        return incident.id, self.chance.choice(self._digests)

    async def _approve(self) -> None:
        incident, digest = await self._offer()
        request = ApproveRemedy(id=f"request-{next(self._ids)}", incident=incident, digest=digest)
        await self._submit(request, self.chance.choice((*PEOPLE, *PEOPLE[:2], *PEOPLE[:2])))
        if self.chance.random() < 0.1:
            await self._submit(request, self.chance.choice(PEOPLE))

    async def _glass(self) -> None:
        incident, digest = await self._offer()
        request = BreakGlass(
            id=f"request-{next(self._ids)}", incident=incident, digest=digest, because="alone"
        )
        await self._submit(request, self.chance.choice(PEOPLE))

    async def _reject(self) -> None:
        incident, digest = await self._offer()
        request = RejectRemedy(
            id=f"request-{next(self._ids)}", incident=incident, digest=digest, because="no"
        )
        await self._submit(request, PEOPLE[0])

    async def _stop(self) -> None:
        incident, _ = await self._offer()
        request = StopAct(id=f"request-{next(self._ids)}", incident=incident, because="enough")
        await self._submit(request, PEOPLE[1])

    async def _close(self) -> None:
        if self.chance.random() < 0.2:
            incident, _ = await self._offer()
            name = f"request-{next(self._ids)}"
            await self._submit(CloseIncident(id=name, incident=incident, because="x"), PEOPLE[0])

    async def _recreate(self) -> None:
        self.fleet.generation += 1
        self.fleet.uid = f"node-uid-{self.fleet.generation}"
        self.fleet.annotation, self.fleet.is_cordoned = "", False

    async def _new_pod(self) -> None:
        number = next(self._ids) + 1000
        pod = PodTarget(namespace="shop", name=f"web-{number}", uid=f"uid-{number}")
        self.fleet.pods_here[pod.uid] = pod

    async def _pod_leaves(self) -> None:
        if self.fleet.pods_here:
            self.fleet.pods_here.pop(self.chance.choice(sorted(self.fleet.pods_here)))

    async def _hold(self) -> None:
        here = sorted(self.fleet.pods_here)
        self.fleet.held = {one for one in here if self.chance.random() < 0.5}

    async def _cordon(self) -> None:
        """Somebody closes or opens the node by hand."""
        self.fleet.is_cordoned = self.chance.random() < 0.4

    async def _trouble(self) -> None:
        self.fleet.trouble = self.chance.choice((0.0, 0.0, 0.1, 0.4))

    async def _board(self) -> Board:
        board = Board()
        while page := await self.journal.read(board.seq, 1000):
            board = board.after(*page)
        return board

    def _watched(self) -> None:
        """Nothing was done twice, and nobody died of a bug."""
        twice = [one for one, times in self.fleet.acted.items() if times > 1]
        twice += [one for one, times in self.fleet.evicted.items() if times > 1]
        if twice:
            raise BrokenRuleError(f"done twice: {twice}")
        if self.fleet.broken:
            raise BrokenRuleError("; ".join(self.fleet.broken))
        for _, task in self.engines:
            if task.done() and not task.cancelled() and (died := task.exception()):
                raise died

    async def _at_rest(self) -> None:
        """With the world at peace and nobody deciding, every incident ends at rest."""
        self.fleet.trouble, self.fleet.held = 0.0, set()
        for _ in range(60):
            await asyncio.sleep(30)
            self._watched()
            board = await self._board()
            if all(one.phase in AT_REST for one in board.incidents.values()):
                return
        stuck = [f"{one.id} {one.phase}" for one in board.incidents.values()]
        raise BrokenRuleError(f"stuck: {stuck}")

    def _counted(self, board: Board) -> None:
        self.outcome.acts = sum(self.fleet.acted.values())
        self.outcome.evictions = sum(self.fleet.evicted.values())
        for incident in board.incidents.values():
            self.outcome.phases[str(incident.phase)] += 1
            _consistent(incident)


def _consistent(incident: Incident) -> None:
    """Every act that was intended has an end in the record, unless an approval was voided."""
    intents = [one.event.act for one in incident.history if isinstance(one.event, ev.ActIntended)]
    kinds = ev.RemedyApplied | ev.ActFailed | ev.TakenBack
    ends = [one.event.act for one in incident.history if isinstance(one.event, kinds)]
    missing = set(intents) - set(ends)
    if missing:
        raise BrokenRuleError(f"{incident.id}: no end of {missing}")


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled() and (died := task.exception()):
        raise died
