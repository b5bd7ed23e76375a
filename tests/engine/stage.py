"""An engine on the leaky cluster, driven by requests as a surface would."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import cast

from petops.domain.alarm import Alarm, AlarmState
from petops.domain.change import Advice, Proposal
from petops.domain.events import Entry
from petops.domain.incident import Incident
from petops.domain.phases import Phase
from petops.domain.policy import Identity, Rules
from petops.domain.requests import ApproveRemedy, BreakGlass, RejectRemedy, ReportAlarm, StopAct
from petops.domain.runbook import Runbook
from petops.engine.engine import Engine
from petops.engine.surroundings import Surroundings
from petops.journal.memory import MemoryJournal
from petops.playbooks import MODES
from petops.playbooks.base import FailureMode
from petops.ports import Journal
from petops.remedies import REMEDIES
from petops.remedies.base import Remedy
from tests.engine.fleet import MODE, NODE, Fleet, sick_node
from tests.engine.leaky import SUBJECT, LeakyCluster
from tests.recorded import alarm, memory
from tests.virtual import VirtualClock

RESPONDER = Identity(user="alice", channel="socket")
_ids = count(1)


class Stage:
    """One world and one journal, on which engines start and end."""

    def __init__(self, *, rules: Rules | None = None, journal: Journal | None = None) -> None:
        self.clock = VirtualClock()
        self.cluster = LeakyCluster(self.clock)
        self.journal: Journal = journal or MemoryJournal()
        self.rules = rules or Rules()
        self.modes: Mapping[str, FailureMode] = MODES
        self.remedies: Mapping[str, Remedy] = REMEDIES
        self.runbooks: tuple[Runbook, ...] = ()
        self._acts = count(1)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Engine]:
        given = Surroundings(
            clock=self.clock,
            cluster=self.cluster,
            metrics=self.cluster,
            actuator=self.cluster,
            site=self.cluster,
            assess=memory,
            new_id=lambda: f"act-{next(self._acts)}",
            rules=self.rules,
            modes=self.modes,
            remedies=self.remedies,
            runbooks=self.runbooks,
        )
        async with Engine(self.journal, given).running() as engine:
            yield engine

    def alarm(self, state: AlarmState = AlarmState.ALARM, **changes: object) -> Alarm:
        now = self.clock.now()
        made = alarm(SUBJECT, now, state=state, event_id=f"event-{next(_ids)}")
        return replace(made, **changes)  # type: ignore[arg-type]

    async def report(self, engine: Engine, found: Alarm | None = None) -> Entry:
        return await engine.submit(
            ReportAlarm(id=f"request-{next(_ids)}", alarm=found or self.alarm()), RESPONDER
        )

    async def approve(
        self, engine: Engine, proposal: Proposal | str, by: Identity = RESPONDER, **changes: str
    ) -> Entry:
        digest = proposal if isinstance(proposal, str) else proposal.digest
        values = {"id": f"request-{next(_ids)}", "incident": "INC-0001", "digest": digest}
        return await engine.submit(ApproveRemedy(**(values | changes)), by)

    async def break_glass(
        self, engine: Engine, proposal: Proposal, by: Identity = RESPONDER
    ) -> Entry:
        request = BreakGlass(
            id=f"request-{next(_ids)}",
            incident="INC-0001",
            digest=proposal.digest,
            because="I am alone and it burns",
        )
        return await engine.submit(request, by)

    async def stop(self, engine: Engine, by: Identity = RESPONDER) -> Entry:
        request = StopAct(id=f"request-{next(_ids)}", incident="INC-0001", because="enough")
        return await engine.submit(request, by)

    async def reject(self, engine: Engine, proposal: Proposal) -> Entry:
        request = RejectRemedy(
            id=f"request-{next(_ids)}",
            incident="INC-0001",
            digest=proposal.digest,
            because="not now",
        )
        return await engine.submit(request, RESPONDER)

    async def until(
        self, engine: Engine, *phases: Phase, hours: float = 6, incident: str = "INC-0001"
    ) -> Incident:
        """Wait, in virtual time, until the incident is in one of these phases."""
        deadline = self.clock.now() + timedelta(hours=hours)
        while True:
            found = (await engine.board()).incidents.get(incident)
            if found is not None and found.phase in phases:
                return found
            assert self.clock.now() < deadline, f"{incident} is {found and found.phase}"
            await self.clock.sleep(0.5)

    async def leak_for(self, seconds: float) -> None:
        """Let it leak, so that there is something to see."""
        await self.clock.sleep(seconds)


class NodeStage(Stage):
    """A stage whose world is the sick node."""

    def __init__(
        self,
        *remedies: str,
        rules: Rules | None = None,
        journal: Journal | None = None,
        fleet: Fleet | None = None,
    ) -> None:
        super().__init__(rules=rules, journal=journal)
        self.fleet = fleet or Fleet(self.clock)
        self.cluster = cast("LeakyCluster", self.fleet)  # of Cluster, only what is asked
        wanted = remedies or ("cordon-node", "drain-node", "uncordon-node", "add-nodes")
        self.modes = {MODE: sick_node(self.fleet, wanted)}

    def alarm(self, state: AlarmState = AlarmState.ALARM, **changes: object) -> Alarm:
        now = self.clock.now()
        made = alarm(NODE, now, state=state, event_id=f"event-{next(_ids)}")
        return replace(made, **changes)  # type: ignore[arg-type]


def offered(incident: Incident, name: str) -> Proposal:
    """The proposal of one remedy."""
    found = {one.remedy: one for one in incident.proposals}
    return found[name]


def acts(incident: Incident) -> list[Proposal]:
    return [one for one in incident.on_offer if not isinstance(one.change, Advice)]
