"""The loop, from an alarm to verified, mitigated or failed, in virtual time."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from petops.domain import events as ev
from petops.domain.alarm import AlarmState
from petops.domain.phases import Phase
from petops.domain.policy import Identity, Rules
from petops.domain.requests import (
    Acknowledge,
    ApproveRemedy,
    CloseIncident,
    CorrectCause,
    RecordMirrored,
    Snooze,
)
from petops.domain.runbook import Runbook
from petops.domain.stages import stages
from petops.domain.subject import ClusterName
from petops.errors import SourceError, StaleError
from tests.engine.stage import RESPONDER, Stage, acts, offered

pytestmark = pytest.mark.looptime


async def test_an_undone_rollout_ends_verified() -> None:
    stage = Stage()
    async with stage.running() as engine:
        await stage.leak_for(60)
        await stage.report(engine)
        waiting = await stage.until(engine, Phase.WAITING)
        assert waiting.diagnosis is not None
        assert waiting.diagnosis.cause is not None
        assert waiting.diagnosis.cause.mode == "memory-leak"
        assert waiting.proposals[0].remedy == "undo-rollout"
        await stage.approve(engine, offered(waiting, "undo-rollout"))
        ended = await stage.until(engine, Phase.VERIFIED)
        assert len(stage.cluster.acts) == 1
        found = stages(ended)
        assert found.mttr_seconds is not None
        assert found.recover_seconds is not None
        assert ended.watch is not None


async def test_a_restart_of_what_goes_on_leaking_is_mitigated_with_the_next_kill() -> None:
    stage = Stage()
    async with stage.running() as engine:
        await stage.leak_for(60)
        await stage.report(engine)
        waiting = await stage.until(engine, Phase.WAITING)
        await stage.approve(engine, offered(waiting, "restart-workload"))
        ended = await stage.until(engine, Phase.MITIGATED)
        assert ended.recovered is not None
        assert isinstance(ended.outcome, ev.Mitigated)
        assert ended.outcome.forecast is not None
        assert ended.outcome.forecast.next_kill_at is not None
        assert ended.outcome.forecast.growth_mib_per_minute == pytest.approx(120, rel=0.05)


async def test_an_alarm_that_comes_back_reopens_what_was_mitigated() -> None:
    stage = Stage()
    async with stage.running() as engine:
        await stage.leak_for(60)
        await stage.report(engine)
        waiting = await stage.until(engine, Phase.WAITING)
        await stage.approve(engine, offered(waiting, "restart-workload"))
        await stage.until(engine, Phase.MITIGATED)
        entry = await stage.report(engine)
        assert isinstance(entry.event, ev.Reopened)
        again = await stage.until(engine, Phase.WAITING)
        assert again.approved is None
        assert {one.digest for one in acts(again)}.isdisjoint(one.digest for one in acts(waiting))


async def test_an_alarm_that_names_no_object_ends_unexplained_and_says_so() -> None:
    stage = Stage()
    async with stage.running() as engine:
        await stage.report(
            engine, replace(stage.alarm(), subject=None, unmapped="no dimension names one")
        )
        ended = await stage.until(engine, Phase.UNEXPLAINED)
        assert ended.diagnosis is not None
        assert ended.diagnosis.cause is None
        assert any("no dimension names one" in gap.why for gap in ended.diagnosis.gaps)


async def test_metrics_being_down_finds_no_cause_and_loses_nothing() -> None:
    stage = Stage()
    stage.cluster.metrics_down = True
    async with stage.running() as engine:
        await stage.leak_for(60)
        await stage.report(engine)
        ended = await stage.until(engine, Phase.UNEXPLAINED)
        assert {one.step for one in ended.unknowns} >= {"container-memory"}
        assert {one.step for one in ended.answers} >= {"affected-pods", "recent-rollouts"}


async def test_an_alarm_of_another_cluster_is_turned_away() -> None:
    stage = Stage()
    other = ClusterName(name="other", account="111122223333", region="us-east-1")
    async with stage.running() as engine:
        entry = await stage.report(engine, replace(stage.alarm(), cluster=other))
        assert isinstance(entry.event, ev.AlarmTurnedAway)
        assert "other" in entry.event.because
        assert not (await engine.board()).incidents


async def test_the_same_request_again_gets_the_same_entry() -> None:
    stage = Stage()
    async with stage.running() as engine:
        await stage.leak_for(60)
        await stage.report(engine)
        waiting = await stage.until(engine, Phase.WAITING)
        request = ApproveRemedy(id="once", incident=waiting.id, digest=acts(waiting)[0].digest)
        first = await engine.submit(request, RESPONDER)
        second = await engine.submit(request, RESPONDER)
        assert first == second
        await stage.until(engine, Phase.VERIFIED)
        assert len(stage.cluster.acts) == 1


async def test_the_first_decision_wins_and_the_second_is_told_who_decided() -> None:
    stage = Stage()
    async with stage.running() as engine:
        await stage.leak_for(60)
        await stage.report(engine)
        waiting = await stage.until(engine, Phase.WAITING)
        choice = acts(waiting)[0]
        await stage.approve(engine, choice)
        entry = await stage.approve(engine, choice, by=Identity(user="bob", channel="slack"))
        assert isinstance(entry.event, ev.ApprovalRefused)
        assert "alice" in entry.event.why


@pytest.mark.parametrize(
    ("by", "digest", "why"),
    [
        (Identity(user="", channel="socket"), None, "nobody"),
        (Identity(user="system:anonymous", channel="socket"), None, "nobody"),
        (RESPONDER, "sha256:" + "0" * 64, "no change"),
        (RESPONDER, "abc", "8 characters"),
    ],
)
async def test_an_approval_that_is_not_in_order_is_refused(
    by: Identity, digest: str | None, why: str
) -> None:
    stage = Stage()
    async with stage.running() as engine:
        await stage.leak_for(60)
        await stage.report(engine)
        waiting = await stage.until(engine, Phase.WAITING)
        entry = await stage.approve(engine, digest or acts(waiting)[0], by=by)
        assert isinstance(entry.event, ev.ApprovalRefused)
        assert why in entry.event.why
        assert (await engine.board()).incidents[waiting.id].phase is Phase.WAITING
        assert not stage.cluster.acts


async def test_a_digest_may_be_shortened() -> None:
    stage = Stage()
    async with stage.running() as engine:
        await stage.leak_for(60)
        await stage.report(engine)
        waiting = await stage.until(engine, Phase.WAITING)
        short = acts(waiting)[0].digest.removeprefix("sha256:")[:8]
        entry = await stage.approve(engine, short)
        assert isinstance(entry.event, ev.RemedyApproved)
        assert entry.event.digest == acts(waiting)[0].digest


async def test_an_unknown_incident_is_refused_in_the_journal() -> None:
    stage = Stage()
    async with stage.running() as engine:
        entry = await stage.approve(engine, "0" * 8, incident="INC-9999")
        assert isinstance(entry.event, ev.ApprovalRefused)
        assert entry.incident == ev.NO_INCIDENT


async def test_an_object_that_was_made_anew_voids_the_approval_and_is_planned_anew() -> None:
    stage = Stage()
    async with stage.running() as engine:
        await stage.leak_for(60)
        await stage.report(engine)
        waiting = await stage.until(engine, Phase.WAITING)
        stage.cluster.uid = "uid-2"
        entry = await stage.approve(engine, acts(waiting)[0])
        assert isinstance(entry.event, ev.ApprovalRefused)
        assert "made anew" in entry.event.why
        again = await stage.until(engine, Phase.WAITING)
        assert acts(again)[0].digest != acts(waiting)[0].digest
        assert not stage.cluster.acts


async def test_nothing_is_repaired_once_the_symptom_is_gone() -> None:
    stage = Stage()
    async with stage.running() as engine:
        await stage.leak_for(30)
        await stage.report(engine)
        waiting = await stage.until(engine, Phase.WAITING)
        stage.cluster.heal()
        await stage.clock.sleep(900)
        entry = await stage.approve(engine, acts(waiting)[0])
        assert isinstance(entry.event, ev.ApprovalRefused)
        assert "symptom is gone" in entry.event.why
        assert not stage.cluster.acts


async def test_what_nobody_decides_on_expires_and_is_offered_anew() -> None:
    stage = Stage(rules=Rules(approval_expires=timedelta(minutes=5), lapses_at_most=2))
    async with stage.running() as engine:
        await stage.leak_for(60)
        await stage.report(engine)
        first = await stage.until(engine, Phase.WAITING)
        await stage.clock.sleep(301)
        second = await stage.until(engine, Phase.WAITING)
        assert second.lapses == 1
        entry = await stage.approve(engine, offered(first, "restart-workload"))
        assert isinstance(entry.event, ev.ApprovalRefused)
        await stage.clock.sleep(301)
        ended = await stage.until(engine, Phase.HANDED_OVER)
        assert "nobody decided" in ended.ended_because


async def test_when_every_change_is_rejected_a_person_takes_over() -> None:
    stage = Stage()
    async with stage.running() as engine:
        await stage.leak_for(60)
        await stage.report(engine)
        waiting = await stage.until(engine, Phase.WAITING)
        for proposal in waiting.proposals:
            await stage.reject(engine, proposal)
        ended = await stage.until(engine, Phase.HANDED_OVER)
        assert "rejected" in ended.ended_because
        cleared = await stage.report(engine, stage.alarm(AlarmState.OK))
        assert isinstance(cleared.event, ev.AlarmJoined)
        await stage.until(engine, Phase.RESOLVED)


async def test_the_same_alarm_twice_and_out_of_order_opens_one_incident() -> None:
    stage = Stage()
    async with stage.running() as engine:
        await stage.leak_for(60)
        found = stage.alarm()
        await stage.report(engine, found)
        again = await stage.report(engine, found)
        assert isinstance(again.event, ev.AlarmJoined)
        assert "reported before" in again.event.because
        earlier = replace(found, event_id="early", started_at=found.started_at - timedelta(hours=1))
        late = await stage.report(engine, replace(earlier, state=AlarmState.OK))
        assert isinstance(late.event, ev.AlarmJoined)
        assert "older" in late.event.because
        assert len((await engine.board()).incidents) == 1


async def test_a_lost_answer_is_settled_by_looking_and_not_by_acting_again() -> None:
    stage = Stage()
    async with stage.running() as engine:
        await stage.leak_for(60)
        await stage.report(engine)
        waiting = await stage.until(engine, Phase.WAITING)
        stage.cluster.lose_answer = True
        stage.cluster.fail["was_applied"] = [SourceError("the API is away")] * 3
        await stage.approve(engine, offered(waiting, "restart-workload"))
        ended = await stage.until(engine, Phase.MITIGATED)
        assert ended.applied is not None
        assert ended.applied.settled
        assert len(stage.cluster.acts) == 1


async def test_a_change_that_cannot_be_made_fails_and_says_why() -> None:
    stage = Stage()
    async with stage.running() as engine:
        await stage.leak_for(60)
        await stage.report(engine)
        waiting = await stage.until(engine, Phase.WAITING)
        stage.cluster.fail["apply"] = [StaleError("it changed a moment ago")]
        await stage.approve(engine, acts(waiting)[0])
        ended = await stage.until(engine, Phase.FAILED)
        assert isinstance(ended.outcome, ev.ActFailed)
        assert "a moment ago" in ended.outcome.why


async def test_people_acknowledge_snooze_and_close() -> None:
    stage = Stage()
    async with stage.running() as engine:
        await stage.leak_for(60)
        await stage.report(engine)
        found = await stage.until(engine, Phase.WAITING)
        await engine.submit(Acknowledge(id="a", incident=found.id), RESPONDER)
        until = stage.clock.now() + timedelta(minutes=5)
        await engine.submit(Snooze(id="b", incident=found.id, until=until), RESPONDER)
        await engine.submit(CloseIncident(id="c", incident=found.id, because="known"), RESPONDER)
        ended = await stage.until(engine, Phase.CLOSED)
        assert ended.acknowledged is not None
        assert ended.acknowledged.by == RESPONDER
        assert ended.snoozed_until == until
        entry = await engine.submit(
            CloseIncident(id="d", incident=found.id, because="again"), RESPONDER
        )
        assert isinstance(entry.event, ev.RequestRefused)


async def test_a_runbook_of_the_cause_is_shown_and_its_questions_are_asked() -> None:
    stage = Stage()
    page = Runbook(
        name="leak",
        title="It leaks",
        modes=("memory-leak",),
        steps=("quotas",),
        text="Tell #adoptions.",
    )
    stage.runbooks = (
        page,
        replace(page, name="other-mode", modes=("bad-rollout",)),
        replace(page, name="other-place", namespaces=("shop-*",)),
    )
    async with stage.running() as engine:
        await stage.leak_for(60)
        await stage.report(engine)
        found = await stage.until(engine, Phase.WAITING)
        assert [one.name for one in found.runbooks] == ["leak"]
        assert "quotas" in [name for name, _ in found.asked]


async def test_what_a_person_says_it_was_stands_beside_the_verdict() -> None:
    stage = Stage()
    async with stage.running() as engine:
        await stage.leak_for(60)
        await stage.report(engine)
        found = await stage.until(engine, Phase.WAITING)
        assert found.diagnosis is not None
        assert found.diagnosis.cause is not None
        verdict = found.diagnosis.cause
        same = CorrectCause(id="a", incident=found.id, mode=verdict.mode, subject=verdict.subject)
        assert isinstance((await engine.submit(same, RESPONDER)).event, ev.RequestRefused)
        other = replace(same, id="b", mode="a cache without bounds", because="heap dump")
        await engine.submit(other, RESPONDER)
        board = await engine.board()
        now = board.incidents[found.id]
        assert now.phase is Phase.WAITING
        assert now.diagnosis == found.diagnosis
        assert now.corrected is not None
        assert (now.corrected.mode, now.corrected.by) == ("a cache without bounds", RESPONDER)


async def test_a_mirror_says_what_it_has_posted_and_nobody_else_may() -> None:
    stage = Stage()
    async with stage.running() as engine:
        await stage.leak_for(60)
        await stage.report(engine)
        posted = RecordMirrored(
            id="m-1",
            incident="INC-0001",
            surface="slack",
            part="card",
            channel="C1",
            message="1.1",
            shown=1,
        )
        refused = await engine.submit(replace(posted, id="m-0"), RESPONDER)
        assert isinstance(refused.event, ev.RequestRefused)
        mirror = Identity(user="slack", channel="mirror")
        entry = await engine.submit(posted, mirror)
        assert (await engine.submit(posted, mirror)) == entry
        await engine.submit(replace(posted, id="m-2", shown=9), mirror)
        found = (await engine.board()).incidents["INC-0001"].mirror("slack", "card")
        assert found is not None
        assert (found.message, found.shown) == ("1.1", 9)


async def test_an_alarm_that_goes_on_unexplained_is_asked_about_again() -> None:
    stage = Stage()
    stage.cluster.metrics_down = True
    async with stage.running() as engine:
        await stage.leak_for(60)
        await stage.report(engine)
        await stage.until(engine, Phase.UNEXPLAINED)
        stage.cluster.metrics_down = False
        found = await stage.until(engine, Phase.WAITING)
        assert found.asked_again == 1
        assert found.diagnosis is not None
        assert found.diagnosis.cause is not None


async def test_it_is_asked_again_a_few_times_only_and_not_once_the_alarm_cleared() -> None:
    stage = Stage()
    stage.cluster.metrics_down = True
    async with stage.running() as engine:
        await stage.leak_for(60)
        await stage.report(engine)
        await stage.clock.sleep(3600)
        ended = await stage.until(engine, Phase.UNEXPLAINED)
        assert ended.asked_again == len(Rules().ask_again_after)
        await stage.report(engine, stage.alarm(AlarmState.OK))
        await stage.until(engine, Phase.RESOLVED)
        await stage.clock.sleep(3600)
        assert (await engine.board()).incidents["INC-0001"].phase is Phase.RESOLVED
