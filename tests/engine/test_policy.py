"""What an organisation rules: who may approve what, what nobody is asked for, what is not done."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from petops.domain import events as ev
from petops.domain.change import Advice
from petops.domain.freezes import Freeze
from petops.domain.incident import Incident
from petops.domain.phases import Phase
from petops.domain.policy import ApprovalRule, Identity, Mode, Person, Rules
from petops.domain.terrain import Room
from petops.engine.engine import Engine
from petops.errors import DeniedError, SourceError
from tests.engine.stage import RESPONDER, Stage, acts, offered
from tests.virtual import BEGAN

pytestmark = pytest.mark.looptime
STRANGER = Identity(user="mallory", channel="slack")
ANA = Identity(user="U1", channel="slack")


async def waiting_on(stage: Stage, engine: Engine) -> Incident:
    await stage.leak_for(60)
    await stage.report(engine)
    return await stage.until(engine, Phase.WAITING)


def refused(event: ev.Event) -> str:
    assert isinstance(event, ev.ApprovalRefused)
    return event.why


async def test_who_is_not_named_may_not_approve_and_is_told_who_may() -> None:
    rule = ApprovalRule(groups=("sre",), namespaces=("shop",), risks=("green",))
    ana = Person(user="U1", channel="slack", kubernetes_user="ana", groups=("sre",))
    stage = Stage(rules=Rules(approvals=(rule,), people=(ana,)))
    async with stage.running() as engine:
        waiting = await waiting_on(stage, engine)
        why = refused((await stage.approve(engine, offered(waiting, "restart-workload"))).event)
        assert "alice may not approve green changes in shop" in why
        assert "ask sre" in why
        why = refused((await stage.approve(engine, offered(waiting, "undo-rollout"), by=ANA)).event)
        assert "yellow" in why
        await stage.approve(engine, offered(waiting, "restart-workload"), by=ANA)
        await stage.until(engine, Phase.MITIGATED)


async def test_nobody_makes_petops_do_what_they_could_not_do_themselves() -> None:
    stage = Stage(rules=Rules(people=(Person(user="U1", kubernetes_user="ana"),)))
    stage.cluster.denied = {"ana"}
    async with stage.running() as engine:
        waiting = await waiting_on(stage, engine)
        entry = await stage.approve(engine, acts(waiting)[0], by=ANA)
        assert "U1 may not patch deployments in shop" in refused(entry.event)
        again = await stage.until(engine, Phase.WAITING)
        assert acts(again) == acts(waiting), "it stays on offer for those who may"
        stage.cluster.denied = {"mallory"}
        entry = await stage.approve(engine, acts(again)[0], by=STRANGER)
        assert "[[person]]" in refused(entry.event), "who is not mapped is told how to be"
        again = await stage.until(engine, Phase.WAITING)
        stage.cluster.fail["may"] = [SourceError("the API is away")] * 9
        entry = await stage.approve(engine, acts(again)[0], by=ANA)
        assert "could not be found out: the API is away" in refused(entry.event)
        assert not stage.cluster.acts


async def test_a_read_only_installation_still_proposes_and_says_what_it_lacks() -> None:
    stage = Stage()
    stage.cluster.denied = {"petops"}
    async with stage.running() as engine:
        waiting = await waiting_on(stage, engine)
        guards = {one.name: one for one in acts(waiting)[0].guards}
        marked = guards["petops-is-permitted"]
        assert not marked.ok
        assert "petops may not patch deployments in shop" in marked.why
        entry = await stage.approve(engine, acts(waiting)[0])
        assert "petops may not" in refused(entry.event)
        assert not stage.cluster.acts


async def test_a_guard_that_could_not_find_out_says_so() -> None:
    stage = Stage()
    stage.cluster.room_now = Room(why={"quota": "403", "nodes": "403"})
    async with stage.running() as engine:
        waiting = await waiting_on(stage, engine)
        guards = {one.name: one for one in offered(waiting, "raise-memory-limit").guards}
        assert guards["fits-quota"].ok
        assert not guards["fits-quota"].known
        assert guards["fits-quota"].why == "could not be found out: 403"


async def test_what_a_repository_owns_is_handed_over_as_a_patch() -> None:
    stage = Stage()
    stage.cluster.managed_by = "Argo CD application shop"
    async with stage.running() as engine:
        await stage.leak_for(60)
        await stage.report(engine)
        handed = await stage.until(engine, Phase.HANDED_OVER)
        advice = {one.remedy: one.change for one in handed.proposals}["undo-rollout"]
        assert isinstance(advice, Advice)
        assert "Argo CD application shop owns" in advice.text
        assert "in its repository" in advice.text
        assert advice.handover.startswith("+ undo the rollout")


async def test_an_owner_that_is_allowed_is_changed_all_the_same() -> None:
    stage = Stage(rules=Rules(gitops_allowed=("helm",)))
    stage.cluster.managed_by = "Helm release shop"
    async with stage.running() as engine:
        waiting = await waiting_on(stage, engine)
        assert acts(waiting)


async def test_a_freeze_marks_offers_and_refuses_approvals_until_it_ends() -> None:
    freeze = Freeze(name="release", namespaces=("shop",), end=BEGAN + timedelta(minutes=5))
    stage = Stage(rules=Rules(freezes=(freeze,)))
    async with stage.running() as engine:
        waiting = await waiting_on(stage, engine)
        entry = await stage.approve(engine, offered(waiting, "restart-workload"))
        assert "changes are frozen: release" in refused(entry.event)
        assert "ends at 2026-11-23 03:05Z" in refused(entry.event)
        await stage.clock.sleep(300)
        again = await stage.until(engine, Phase.WAITING)
        await stage.approve(engine, offered(again, "restart-workload"))
        await stage.until(engine, Phase.MITIGATED)


async def test_acts_on_one_workload_are_budgeted_by_the_hour() -> None:
    stage = Stage(rules=Rules(acts_an_hour_on_workload=1))
    async with stage.running() as engine:
        waiting = await waiting_on(stage, engine)
        await stage.approve(engine, offered(waiting, "restart-workload"))
        await stage.until(engine, Phase.MITIGATED)
        await stage.report(engine)
        again = await stage.until(engine, Phase.WAITING)
        entry = await stage.approve(engine, offered(again, "restart-workload"))
        assert "1 changes were made to checkout within the hour" in refused(entry.event)
        await stage.clock.sleep(3660)
        stage.cluster.started = stage.clock.now() - timedelta(seconds=60)
        again = await stage.until(engine, Phase.WAITING)
        await stage.approve(engine, offered(again, "restart-workload"))
        await stage.until(engine, Phase.MITIGATED)
        assert len(stage.cluster.acts) == 2


async def test_green_changes_are_made_by_policy_where_it_says_so() -> None:
    stage = Stage(rules=Rules(auto_namespaces=("shop",)))
    stage.cluster.revision = 1  # nothing to go back to, so that the green restart comes first
    async with stage.running() as engine:
        await stage.leak_for(60)
        await stage.report(engine)
        ended = await stage.until(engine, Phase.MITIGATED)
        assert ended.approved is not None
        assert ended.approved.by == Identity(user="policy auto shop", channel="policy")
        assert len(stage.cluster.acts) == 1


async def test_policy_approves_nothing_elsewhere_nor_what_is_not_green() -> None:
    for rules in (Rules(auto_namespaces=("other",)), Rules(), Rules(auto_namespaces=("shop",))):
        stage = Stage(rules=rules)
        async with stage.running() as engine:
            waiting = await waiting_on(stage, engine)
            assert acts(waiting)[0].remedy == "undo-rollout"
            await stage.clock.sleep(60)
            assert not stage.cluster.acts


async def test_policy_waits_for_a_person_where_a_guard_is_not_content() -> None:
    stage = Stage(rules=Rules(auto_namespaces=("shop",)))
    stage.cluster.revision = 1
    stage.cluster.fail["changed_since"] = [SourceError("the API is away")]
    async with stage.running() as engine:
        waiting = await waiting_on(stage, engine)
        await stage.clock.sleep(120)
        waiting = (await engine.board()).incidents[waiting.id]
        assert waiting.phase is Phase.WAITING
        why = [one.event for one in waiting.history if isinstance(one.event, ev.ApprovalRefused)]
        assert len(why) == 1
        assert not stage.cluster.acts
        await stage.approve(engine, offered(waiting, "restart-workload"))
        await stage.until(engine, Phase.MITIGATED)


async def test_who_only_observes_records_what_it_would_have_done_and_acts_never() -> None:
    stage = Stage(rules=Rules(mode=Mode.OBSERVE, auto_namespaces=("*",)))
    async with stage.running() as engine:
        await stage.leak_for(60)
        await stage.report(engine)
        handed = await stage.until(engine, Phase.HANDED_OVER)
        (would,) = [one.event for one in handed.history if isinstance(one.event, ev.WouldHaveActed)]
        assert would.summaries[0].startswith("undo-rollout (yellow): undo the rollout")
        entry = await stage.approve(engine, acts(replace(handed, phase=Phase.WAITING))[0])
        assert isinstance(entry.event, ev.ApprovalRefused)
        await stage.clock.sleep(600)
        assert not stage.cluster.acts


async def test_what_was_approved_before_observing_began_is_not_made() -> None:
    stage = Stage()
    async with stage.running() as engine:
        waiting = await waiting_on(stage, engine)
        stage.rules = Rules(mode=Mode.OBSERVE)
    async with stage.running() as engine:
        entry = await stage.approve(engine, acts(waiting)[0])
        assert "only observes" in refused(entry.event)


async def test_an_approval_that_rested_is_checked_again_before_it_is_made() -> None:
    stage = Stage()
    async with stage.running() as engine:
        waiting = await waiting_on(stage, engine)
    approved = ev.RemedyApproved(
        at=stage.clock.now(), by=RESPONDER, digest=offered(waiting, "restart-workload").digest
    )
    await stage.journal.append(waiting.id, waiting.number, [approved])  # and died there
    await asyncio.sleep(60)
    stage.cluster.uid = "uid-2"
    async with stage.running() as engine:
        again = await stage.until(engine, Phase.WAITING)
        assert not stage.cluster.acts
        (void,) = [one.event for one in again.history if isinstance(one.event, ev.ApprovalVoided)]
        assert "made anew" in void.because
        assert again.approved is None


async def test_an_approval_that_expired_before_it_could_be_made_is_void() -> None:
    stage = Stage()
    async with stage.running() as engine:
        waiting = await waiting_on(stage, engine)
    approved = ev.RemedyApproved(
        at=stage.clock.now(), by=RESPONDER, digest=offered(waiting, "restart-workload").digest
    )
    await stage.journal.append(waiting.id, waiting.number, [approved])
    await asyncio.sleep(3600)
    async with stage.running() as engine:
        again = await stage.until(engine, Phase.WAITING)
        (void,) = [one.event for one in again.history if isinstance(one.event, ev.ApprovalVoided)]
        assert "it expired" in void.because
        assert not stage.cluster.acts


@pytest.mark.parametrize("by_policy", [False, True])
async def test_what_did_not_help_is_offered_to_be_taken_back(by_policy: bool) -> None:
    spaces = ("shop",) if by_policy else ()
    stage = Stage(rules=Rules(take_back_namespaces=spaces, recovery_deadline=timedelta(minutes=1)))
    async with stage.running() as engine:
        waiting = await waiting_on(stage, engine)
        stage.cluster.metrics_down = False
        stage.cluster.rate = 9000.0  # it is at its new limit at once
        await stage.approve(engine, offered(waiting, "raise-memory-limit"))
        failed = await stage.until(engine, Phase.FAILED)
        assert isinstance(failed.outcome, ev.RemedyFailed)
        if not by_policy:
            (back,) = failed.on_offer
            assert back.remedy == "take-back"
            assert back.change.summary.endswith("384Mi -> 256Mi")
            await stage.approve(engine, back)
        await stage.clock.sleep(5)
        ended = await stage.until(engine, Phase.FAILED)
        assert ended.taken_back is not None
        assert [change.summary for _, change in stage.cluster.acts][1].endswith("384Mi -> 256Mi")
        assert ended.takes_back is not None
        assert (ended.takes_back.by.channel == "policy") is by_policy
        assert isinstance(ended.outcome, ev.RemedyFailed)


async def test_what_is_refused_for_good_is_not_tried_again() -> None:
    stage = Stage()
    async with stage.running() as engine:
        waiting = await waiting_on(stage, engine)
        stage.cluster.fail["apply"] = [SourceError("429"), DeniedError("quota exceeded")]
        began = stage.clock.now()
        await stage.approve(engine, offered(waiting, "restart-workload"))
        failed = await stage.until(engine, Phase.FAILED)
        assert isinstance(failed.outcome, ev.ActFailed)
        assert "quota exceeded" in failed.outcome.why
        assert stage.clock.now() - began < timedelta(seconds=10)


async def test_what_is_put_off_is_tried_until_the_time_is_up() -> None:
    stage = Stage(rules=Rules(settle_deadline=timedelta(minutes=2)))
    async with stage.running() as engine:
        waiting = await waiting_on(stage, engine)
        stage.cluster.fail["apply"] = [SourceError("429")] * 3
        await stage.approve(engine, offered(waiting, "restart-workload"))
        await stage.until(engine, Phase.MITIGATED)
        assert len(stage.cluster.acts) == 1
        await stage.report(engine)
        waiting = await stage.until(engine, Phase.WAITING)
        stage.cluster.fail["apply"] = [SourceError("429")] * 99
        began: datetime = stage.clock.now()
        await stage.approve(engine, offered(waiting, "restart-workload"))
        failed = await stage.until(engine, Phase.FAILED)
        assert isinstance(failed.outcome, ev.ActFailed)
        assert "until the time was up: 429" in failed.outcome.why
        assert stage.clock.now() - began < timedelta(minutes=3)
