"""A small storm, in virtual time: none lost, few incidents, no cause mixed and none missing."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from petops.domain import events as ev
from petops.domain.alarm_mapping import AlarmMapping
from petops.domain.assessment import AssessmentRules, assess
from petops.domain.policy import Identity
from petops.domain.requests import ReportAlarm
from petops.engine.engine import Engine
from petops.engine.grouping import Grouping
from petops.engine.surroundings import Surroundings
from petops.journal.memory import MemoryJournal
from petops.sources.alarm_events import parse_document
from tests.engine.storm import CLUSTER, StormCluster, events, judged, planned
from tests.virtual import VirtualClock

pytestmark = pytest.mark.looptime
INTAKE = Identity(user="intake", channel="queue")


def given_by(
    clock: VirtualClock, cluster: StormCluster, grouping: Grouping | None = None
) -> Surroundings:
    return Surroundings(
        clock=clock,
        cluster=cluster,
        metrics=cluster,
        actuator=cluster,
        site=cluster,
        topology=cluster,
        assess=lambda alarm: assess(alarm, AssessmentRules()),
        new_id=lambda: "none",
        grouping=grouping or Grouping(),
    )


async def test_fifty_investigations_run_at_once_and_none_waits_for_a_cause_of_many() -> None:
    """Nothing is grouped here: then there is nothing that an incident could wait for."""
    clock, plan = VirtualClock(), planned(250)
    cluster = StormCluster(clock, plan)
    cluster.answer_seconds = 3.0
    sent = [one for one in events(plan, 2000, 1.0, clock.now()) if "-errors-0-" in one.key][:60]
    given = given_by(clock, cluster, Grouping(enabled=False))
    began = clock.now()
    async with Engine(MemoryJournal(), given).running() as engine:
        for one in sent:
            (alarm,) = parse_document(one.body, AlarmMapping(here=CLUSTER))
            await engine.submit(ReportAlarm(id=f"cw:{alarm.event_id}", alarm=alarm), INTAKE)
        await clock.sleep(5)
        found = (await engine.board()).incidents.values()
        asked = [
            (entry.event.at - began).total_seconds()
            for one in found
            for entry in one.history
            if isinstance(entry.event, ev.InvestigationStarted)
        ]
        assert len(found) == 60
        assert sorted(asked)[49] < 0.5
        assert cluster.most_at_once == 50, "as many as the engine asks about at once, no more"


@pytest.mark.slow
async def test_a_storm_becomes_few_incidents_that_mix_no_causes() -> None:
    clock, plan = VirtualClock(), planned(50)
    cluster = StormCluster(clock, plan)
    sent = events(plan, 600, 20.0, clock.now())
    given = given_by(clock, cluster)
    waits: list[float] = []
    async with Engine(MemoryJournal(), given).running() as engine:

        async def report(at: float, body: str) -> None:
            await clock.sleep(at)
            (alarm,) = parse_document(body, AlarmMapping(here=CLUSTER))
            began = clock.now()
            await engine.submit(ReportAlarm(id=f"cw:{alarm.event_id}", alarm=alarm), INTAKE)
            waits.append((clock.now() - began).total_seconds())

        async with asyncio.TaskGroup() as group:
            for one in sent:
                group.create_task(report(one.at_seconds, one.body))
        await clock.sleep(60)
        board = await engine.board()
    verdict = judged(board, plan, sent)
    assert verdict.lost == 0
    assert verdict.mixed == ()
    assert verdict.missing == ()
    assert 5 <= verdict.left <= 15, verdict
    assert max(waits) < 10
    began = Counter(
        entry.incident
        for one in board.incidents.values()
        for entry in one.history
        if isinstance(entry.event, ev.InvestigationStarted)
    )
    assert len(began) <= 15
