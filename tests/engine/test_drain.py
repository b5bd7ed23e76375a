"""Draining: two people sign, one pod after another, stopped by people, budgets and deadlines."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from petops.domain import events as ev
from petops.domain.change import Advice, DrainNode, Risk, Uncordon
from petops.domain.diagnosis import Finding
from petops.domain.evidence import Window
from petops.domain.incident import Incident
from petops.domain.phases import Phase
from petops.domain.policy import Identity, Rules
from petops.domain.subject import Kind, Subject
from petops.engine.engine import Engine
from petops.errors import DeniedError, ForbiddenError, OutcomeUnknownError, SourceError
from petops.playbooks.base import Case, Evidence, Judgement
from tests.engine.stage import RESPONDER, NodeStage, offered
from tests.recorded import CLUSTER

pytestmark = pytest.mark.looptime
SECOND = Identity(user="bob", channel="slack")


async def signed(stage: NodeStage, engine: Engine, name: str = "drain-node") -> Incident:
    """Report, and let two people approve."""
    await stage.report(engine)
    waiting = await stage.until(engine, Phase.WAITING)
    await stage.approve(engine, offered(waiting, name))
    await stage.approve(engine, offered(waiting, name), by=SECOND)
    return waiting


def of(incident: Incident, kind: type[ev.Event]) -> list[ev.Event]:
    return [one.event for one in incident.history if isinstance(one.event, kind)]


async def test_the_offers_are_green_first_and_name_each_pod() -> None:
    stage = NodeStage()
    async with stage.running() as engine:
        await stage.report(engine)
        waiting = await stage.until(engine, Phase.WAITING)
        assert [one.remedy for one in waiting.proposals] == [
            "cordon-node",
            "drain-node",
            "add-nodes",
        ]
        assert [one.risk for one in waiting.proposals[:2]] == [Risk.GREEN, Risk.RED]
        drain = offered(waiting, "drain-node")
        assert isinstance(drain.change, DrainNode)
        assert [one.uid for one in drain.change.pods] == ["uid-0", "uid-1", "uid-2"]
        assert isinstance(drain.inverse, Uncordon)
        assert isinstance(waiting.proposals[2].change, Advice)
        assert "eksctl scale" in waiting.proposals[2].change.handover


async def test_a_culprit_that_may_not_be_read_leaves_what_can_be_done_at_its_node() -> None:
    stage = NodeStage()
    (mode,) = stage.modes.values()
    hog = Subject(cluster=CLUSTER, kind=Kind.DEPLOYMENT, namespace="kube-system", name="hog")

    def conclude(case: Case, evidence: Evidence) -> Finding:
        return replace(mode.conclude(case, evidence), culprit=hog)

    stage.modes = {mode.name: replace(mode, conclude=conclude)}
    stage.fleet.fail["workload"] = [SourceError("forbidden")]
    async with stage.running() as engine:
        await stage.report(engine)
        waiting = await stage.until(engine, Phase.WAITING)
        assert waiting.proposals[0].remedy == "cordon-node"
        assert waiting.proposals[0].change.subject.kind is Kind.NODE


async def test_a_drain_that_two_signed_ends_verified() -> None:
    stage = NodeStage()
    async with stage.running() as engine:
        await signed(stage, engine)
        ended = await stage.until(engine, Phase.VERIFIED)
        assert stage.fleet.evicted == {"uid-0": 1, "uid-1": 1, "uid-2": 1}
        assert [kind for _, kind in stage.fleet.writes] == ["DrainNode"]
        assert len(of(ended, ev.ActProgressed)) == 3
        assert ended.progress == ("shop/web-0", "shop/web-1", "shop/web-2")


async def test_whoever_judges_sees_the_time_since_the_change_and_not_that_of_the_diagnosis() -> (
    None
):
    stage, seen = NodeStage(), set[Window]()
    (mode,) = stage.modes.values()

    def judge(case: Case, *others: Any) -> Judgement:
        seen.add(case.window)
        return mode.judge(case, *others)

    stage.modes = {mode.name: replace(mode, judge=judge)}
    async with stage.running() as engine:
        await signed(stage, engine)
        ended = await stage.until(engine, Phase.VERIFIED)
        assert ended.applied is not None
        watches = [one for one in seen if one.start == ended.applied.at]
        assert max(one.end for one in watches) - ended.applied.at >= timedelta(seconds=60)


async def test_one_person_is_not_enough_and_not_enough_twice() -> None:
    stage = NodeStage()
    async with stage.running() as engine:
        await stage.report(engine)
        waiting = await stage.until(engine, Phase.WAITING)
        drain = offered(waiting, "drain-node")
        first = await stage.approve(engine, drain)
        assert isinstance(first.event, ev.ApprovalGiven)
        again = await stage.approve(engine, drain)
        assert isinstance(again.event, ev.ApprovalRefused)
        assert "a second, different person" in again.event.why
        elsewhere = Identity(user="alice", channel="slack")
        own_token = Identity(user="api", channel="token")
        for same in (elsewhere, own_token):
            again = await stage.approve(engine, drain, by=same)
            assert isinstance(again.event, ev.ApprovalRefused)
        await stage.clock.sleep(60)
        assert not stage.fleet.writes


async def test_two_approvals_of_two_changes_are_not_two_of_one() -> None:
    stage = NodeStage("drain-node", rules=Rules(approval_expires=timedelta(minutes=5)))
    async with stage.running() as engine:
        await stage.report(engine)
        waiting = await stage.until(engine, Phase.WAITING)
        await stage.approve(engine, offered(waiting, "drain-node"))
        await stage.clock.sleep(301)
        again = await stage.until(engine, Phase.WAITING)
        assert not again.approvals, "what expired takes its approvals along"
        second = await stage.approve(engine, offered(again, "drain-node"), by=SECOND)
        assert isinstance(second.event, ev.ApprovalGiven)


async def test_a_lone_responder_breaks_the_glass_and_everybody_is_told() -> None:
    stage = NodeStage()
    async with stage.running() as engine:
        await stage.report(engine)
        waiting = await stage.until(engine, Phase.WAITING)
        needless = await stage.break_glass(engine, offered(waiting, "cordon-node"))
        assert isinstance(needless.event, ev.ApprovalRefused)
        assert "one approval is enough" in needless.event.why
        entry = await stage.break_glass(engine, offered(waiting, "drain-node"))
        assert isinstance(entry.event, ev.RemedyApproved)
        ended = await stage.until(engine, Phase.VERIFIED)
        (used,) = of(ended, ev.BreakGlassUsed)
        assert isinstance(used, ev.BreakGlassUsed)
        assert used.by == RESPONDER
        assert "alone" in used.because


async def test_breaking_the_glass_can_be_forbidden() -> None:
    stage = NodeStage(rules=Rules(break_glass=False))
    async with stage.running() as engine:
        await stage.report(engine)
        waiting = await stage.until(engine, Phase.WAITING)
        entry = await stage.break_glass(engine, offered(waiting, "drain-node"))
        assert isinstance(entry.event, ev.ApprovalRefused)
        assert "second person" in entry.event.why


async def test_a_pod_that_came_since_voids_the_approval() -> None:
    stage = NodeStage("drain-node")
    async with stage.running() as engine:
        await stage.report(engine)
        waiting = await stage.until(engine, Phase.WAITING)
        await stage.approve(engine, offered(waiting, "drain-node"))
        stage.fleet.pods_here["uid-9"] = stage.fleet.pods_here["uid-0"]
        entry = await stage.approve(engine, offered(waiting, "drain-node"), by=SECOND)
        assert isinstance(entry.event, ev.ApprovalRefused)
        assert "came to it since" in entry.event.why
        await stage.until(engine, Phase.WAITING)
        assert not stage.fleet.writes


async def test_a_drain_goes_on_where_it_was_after_a_restart() -> None:
    stage = NodeStage("drain-node")
    stage.fleet.held = {"uid-1", "uid-2"}
    async with stage.running() as engine:
        await signed(stage, engine)
        await stage.clock.sleep(30)
        assert stage.fleet.evicted == {"uid-0": 1}
    await asyncio.sleep(60)
    stage.fleet.held = set()
    async with stage.running() as engine:
        await stage.until(engine, Phase.VERIFIED)
        assert stage.fleet.evicted == {"uid-0": 1, "uid-1": 1, "uid-2": 1}
        assert len(stage.fleet.writes) == 1


async def test_a_person_stops_a_drain_and_is_offered_to_open_the_node() -> None:
    stage = NodeStage("drain-node")
    stage.fleet.held = {"uid-1", "uid-2"}
    async with stage.running() as engine:
        await signed(stage, engine)
        await stage.clock.sleep(30)
        entry = await stage.stop(engine)
        assert isinstance(entry.event, ev.StopRequested)
        failed = await stage.until(engine, Phase.FAILED)
        assert isinstance(failed.outcome, ev.ActFailed)
        assert "stopped by alice: enough" in failed.outcome.why
        assert "2 left" in failed.outcome.why
        (back,) = failed.on_offer
        assert isinstance(back.change, Uncordon)
        assert back.risk is Risk.GREEN
        await stage.approve(engine, back)
        await stage.clock.sleep(5)
        ended = await stage.until(engine, Phase.FAILED)
        assert ended.taken_back is not None
        assert not stage.fleet.is_cordoned
        assert not ended.on_offer
        again = await stage.approve(engine, back)
        assert isinstance(again.event, ev.ApprovalRefused)
        assert len(stage.fleet.writes) == 2


async def test_a_drain_that_a_budget_blocks_for_ever_ends_at_its_deadline() -> None:
    stage = NodeStage("drain-node", rules=Rules(drain_deadline=timedelta(minutes=10)))
    stage.fleet.held = {"uid-0", "uid-1", "uid-2"}
    async with stage.running() as engine:
        await signed(stage, engine)
        await stage.clock.sleep(300)
        under_way = (await engine.board()).incidents["INC-0001"]
        assert under_way.phase is Phase.REPAIRING
        (said,) = of(under_way, ev.ActProgressed)
        assert isinstance(said, ev.ActProgressed)
        assert "the budget web needs it" in said.blocked
        failed = await stage.until(engine, Phase.FAILED)
        assert isinstance(failed.outcome, ev.ActFailed)
        assert "deadline" in failed.outcome.why
        assert "budget web" in failed.outcome.why
        assert isinstance(failed.on_offer[0].change, Uncordon)


async def test_policy_takes_back_by_itself_only_where_it_says_so() -> None:
    # A node is in no namespace: no rule for namespaces speaks of it.
    stage = NodeStage("drain-node", rules=Rules(take_back_namespaces=("*",)))
    stage.fleet.held = {"uid-0"}
    async with stage.running() as engine:
        await signed(stage, engine)
        await stage.stop(engine)
        failed = await stage.until(engine, Phase.FAILED)
        assert failed.takes_back is None


async def test_somebody_who_opens_the_node_ends_the_drain() -> None:
    stage = NodeStage("drain-node")
    stage.fleet.held = {"uid-1", "uid-2"}
    async with stage.running() as engine:
        await signed(stage, engine)
        await stage.clock.sleep(30)
        stage.fleet.is_cordoned = False
        failed = await stage.until(engine, Phase.FAILED)
        assert isinstance(failed.outcome, ev.ActFailed)
        assert "uncordoned by somebody" in failed.outcome.why


async def test_answers_that_are_lost_on_the_way_evict_nobody_twice() -> None:
    stage = NodeStage("drain-node")
    stage.fleet.lose_answers = 4
    stage.fleet.fail["advance"] = [SourceError("429"), OutcomeUnknownError("500")]
    async with stage.running() as engine:
        await signed(stage, engine)
        await stage.until(engine, Phase.VERIFIED)
        assert stage.fleet.evicted == {"uid-0": 1, "uid-1": 1, "uid-2": 1}


async def test_permission_taken_away_between_approval_and_act() -> None:
    stage = NodeStage("drain-node")
    async with stage.running() as engine:
        stage.fleet.fail["apply"] = [ForbiddenError("petops may not patch nodes")]
        await signed(stage, engine)
        failed = await stage.until(engine, Phase.FAILED)
        assert isinstance(failed.outcome, ev.ActFailed)
        assert "may not patch" in failed.outcome.why
        assert not failed.on_offer, "nothing was changed, so nothing can be taken back"


async def test_permission_to_evict_taken_away_in_the_middle_offers_to_open_the_node() -> None:
    stage = NodeStage("drain-node")
    async with stage.running() as engine:
        stage.fleet.fail["advance"] = [DeniedError("a webhook said no")]
        await signed(stage, engine)
        failed = await stage.until(engine, Phase.FAILED)
        assert isinstance(failed.on_offer[0].change, Uncordon)


async def test_no_node_is_closed_when_it_is_the_last_one() -> None:
    stage = NodeStage("cordon-node", "drain-node")
    stage.fleet.room_nodes = stage.fleet.room_nodes[:1]
    async with stage.running() as engine:
        await stage.report(engine)
        handed = await stage.until(engine, Phase.HANDED_OVER)
        assert "no other node would take pods" in dict(handed.withheld)["cordon-node"]
