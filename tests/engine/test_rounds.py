"""The second round of an investigation: told, journaled, gone on with, and replayed alike."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import cast

import pytest

from petops.domain import events as ev
from petops.domain.alarm import Alarm, Assessment, Category, Priority
from petops.domain.evidence import Window
from petops.domain.incident import Incident
from petops.domain.phases import Phase
from petops.domain.policy import Identity
from petops.domain.requests import ReportAlarm
from petops.domain.subject import Kind
from petops.engine.concluding import concluded
from petops.engine.engine import Engine
from petops.engine.rounds import THERE, first_round, second_round
from petops.engine.surroundings import Surroundings, case_of
from petops.journal.memory import MemoryJournal
from petops.playbooks import MODES
from petops.playbooks.base import Evidence
from petops.ports import Actuator, Journal, Site, Traces
from petops.programs.replaying import replayed
from petops.sources.kubernetes import KubernetesCluster
from petops.wire import entry_from_json, entry_to_json
from tests.engine.leaky import LeakyCluster
from tests.kubernetes_objects import NOW, meta
from tests.lab.hand_clock import HandClock
from tests.recorded import CLUSTER, alarm
from tests.request_shop import FRONT, PAY, Counters, Shop, Wrong

SHOP = Shop(wrong=Wrong(seconds={PAY: 0.4}, throttled={PAY: 0.9}))
BY = Identity(user="alice", channel="socket")
_acts = count(1)


class Standing(HandClock):
    """Noon of the shop."""

    def __init__(self) -> None:
        super().__init__()
        self.at = NOW


def latency(_: Alarm) -> Assessment:
    return Assessment(category=Category.LATENCY, priority=Priority.P2, because="a test")


def given(metrics: Counters, traces: Traces | None = None) -> Surroundings:
    clock = Standing()
    other = LeakyCluster(clock)  # nothing is changed here
    return Surroundings(
        clock=clock,
        cluster=KubernetesCluster(SHOP.api(), CLUSTER),
        metrics=metrics,
        actuator=cast("Actuator", other),
        site=cast("Site", other),
        assess=latency,
        new_id=lambda: f"act-{next(_acts)}",
        traces=traces or SHOP.traces(),
    )


async def diagnosed(
    journal: Journal, around: Surroundings, labels: tuple[tuple[str, str], ...] = ()
) -> Incident:
    """Run an engine until the incident has its diagnosis; with `labels` the alarm has no object."""
    subject = None if labels else SHOP.subject(FRONT)
    found = alarm(subject, NOW, started_at=NOW - timedelta(minutes=4), labels=labels)
    async with Engine(journal, around).running() as engine:
        board = await engine.board()
        if not board.incidents:
            await engine.submit(ReportAlarm(id="r-1", alarm=found), BY)
        async for _ in engine.entries(after=0):
            incident = (await engine.board()).incidents.get("INC-0001")
            if incident is not None and incident.diagnosis is not None:
                return incident
    raise AssertionError


def rows(incident: Incident) -> list[tuple[str, ...]]:
    """What was concluded; which traces had been read before the end is another matter."""
    diagnosis = incident.diagnosis
    assert diagnosis is not None
    assert diagnosis.cause is not None
    cause = diagnosis.cause
    told = [(one.step, one.statement, one.seen, str(one.weighs)) for one in cause.rows]
    return [(cause.mode, str(cause.subject), str(cause.confidence)), *told]


def steps_of(incident: Incident) -> list[str]:
    answered = [one.step for one in incident.answers]
    return [*answered, *(one.step for one in incident.unknowns)]


async def test_the_second_round_stands_in_the_journal_and_replays_alike() -> None:
    journal = MemoryJournal()
    incident = await diagnosed(journal, given(Counters(SHOP)))
    kinds = [type(one.event) for one in incident.history]
    assert kinds.count(ev.InvestigationStarted) == kinds.count(ev.InvestigationWidened) == 1
    (widened,) = incident.widened
    assert widened.subject == SHOP.subject(PAY)
    assert f"the trouble seems to lie at {PAY}" in widened.because
    assert all(name.startswith(THERE) for name, _ in widened.steps)
    assert all(f"({PAY})" in question for _, question in widened.steps)
    assert set(widened.steps) < set(incident.asked)
    steps = steps_of(incident)
    assert len(steps) == len(set(steps)) == len(incident.asked)
    diagnosis = incident.diagnosis
    assert diagnosis is not None
    assert diagnosis.cause is not None
    assert (diagnosis.cause.mode, diagnosis.cause.subject) == (
        "cpu-throttling",
        SHOP.subject(PAY),
    )
    case = case_of(incident, incident.window or Window.before(NOW, timedelta(hours=3)))
    first = first_round(case, MODES.values())
    here = Evidence(incident.answers, incident.unknowns)
    more = second_round(first, here, MODES.values())
    assert more is not None
    there = Evidence(incident.answers, incident.unknowns, THERE)
    assert concluded(first, here, more[0], there) == diagnosis


async def test_an_engine_that_ended_between_the_rounds_goes_on_and_asks_nothing_twice() -> None:
    whole = MemoryJournal()
    done = await diagnosed(whole, given(Counters(SHOP)))
    at = next(
        position
        for position, one in enumerate(done.history)
        if isinstance(one.event, ev.InvestigationWidened)
    )
    journal = MemoryJournal()
    for number, one in enumerate(done.history[: at + 4]):
        again = entry_from_json(entry_to_json(one))
        await journal.append(done.id, number, [again.event])
    metrics = Counters(SHOP)
    found = await diagnosed(journal, given(metrics))
    assert rows(found) == rows(done)
    kinds = [type(one.event) for one in found.history]
    assert kinds.count(ev.InvestigationWidened) == 1
    assert found.phase is not Phase.OPEN
    steps = steps_of(found)
    assert len(steps) == len(set(steps))


AT_BALANCER = (("LoadBalancer", "app/k8s-shop-front-0f3a91c2d4/50dc6c495c0c9188"),)


def behind_balancer() -> Surroundings:
    """The shop, with a load balancer in front of it as an Ingress tells."""
    backend = {"service": {"name": SHOP.name(FRONT), "port": {"number": 80}}}
    host = "k8s-shop-front-0f3a91c2d4-1234567890.us-east-1.elb.amazonaws.com"
    web = {
        "metadata": meta("web"),
        "spec": {"rules": [{"http": {"paths": [{"path": "/", "backend": backend}]}}]},
        "status": {"loadBalancer": {"ingress": [{"hostname": host}]}},
    }
    api = SHOP.api()
    api.add("ingresses", [web])
    return replace(given(Counters(SHOP)), cluster=KubernetesCluster(api, CLUSTER))


async def test_an_alarm_that_names_a_load_balancer_leads_to_who_is_waited_for() -> None:
    incident = await diagnosed(MemoryJournal(), behind_balancer(), AT_BALANCER)
    meant, there = incident.widened
    assert (meant.subject.kind, meant.subject.name) == (Kind.SERVICE, SHOP.name(FRONT))
    assert meant.steps == ()
    assert there.subject == SHOP.subject(PAY)
    steps = steps_of(incident)
    assert len(steps) == len(set(steps)) == len(incident.asked)
    diagnosis = incident.diagnosis
    assert diagnosis is not None
    assert diagnosis.cause is not None
    assert (diagnosis.cause.mode, diagnosis.cause.subject) == ("cpu-throttling", SHOP.subject(PAY))
    first = diagnosis.cause.rows[0]
    assert first.statement == f"the alarm names no object: {meant.subject} is meant"
    assert first.asked
    assert replayed(incident).is_same


@pytest.mark.slow
async def test_an_engine_that_ended_goes_on_with_the_object_that_was_found() -> None:
    done = await diagnosed(MemoryJournal(), behind_balancer(), AT_BALANCER)
    kinds = [type(one.event) for one in done.history]
    widened = [at for at, one in enumerate(kinds) if one is ev.InvestigationWidened]
    for end in (kinds.index(ev.StepAnswered), *widened):
        journal = MemoryJournal()
        for number, each in enumerate(done.history[: end + 1]):
            await journal.append(done.id, number, [entry_from_json(entry_to_json(each)).event])
        found = await diagnosed(journal, behind_balancer(), AT_BALANCER)
        assert rows(found) == rows(done)
        assert [one.subject for one in found.widened] == [one.subject for one in done.widened]


async def test_an_alarm_that_leads_nowhere_says_so_and_nothing_is_called_blind() -> None:
    incident = await diagnosed(MemoryJournal(), given(Counters(SHOP)), (("ClusterName", "shop"),))
    diagnosis = incident.diagnosis
    assert diagnosis is not None
    assert diagnosis.cause is None
    assert not diagnosis.blind
    assert diagnosis.because.startswith(
        "no cause found: which object is meant is not known: the alarm names no object, namespace"
    )
    assert replayed(incident).is_same


async def test_a_load_balancer_of_somebody_else_names_nothing() -> None:
    labels = (("LoadBalancer", "app/another/50dc6c495c0c9188"),)
    diagnosis = (await diagnosed(MemoryJournal(), behind_balancer(), labels)).diagnosis
    assert diagnosis is not None
    assert diagnosis.cause is None
    assert diagnosis.because == (
        "no cause found: the alarm names no object, and nothing ails in load balancer another: "
        "no Service is known to be behind it"
    )
