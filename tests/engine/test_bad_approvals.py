"""What people and clusters do wrong between an offer and its act: each is refused, and why."""

from __future__ import annotations

import pytest

from petops.domain import events as ev
from petops.domain.change import digest
from petops.domain.incident import Incident
from petops.domain.phases import Phase
from petops.domain.policy import Identity
from petops.engine.engine import Engine
from petops.errors import DeniedError, ForbiddenError, NotThereError, SourceError
from tests.engine.stage import Stage, acts, offered

pytestmark = pytest.mark.looptime


async def waiting_on(stage: Stage, engine: Engine) -> Incident:
    await stage.leak_for(60)
    await stage.report(engine)
    return await stage.until(engine, Phase.WAITING)


def refused(event: ev.Event) -> str:
    assert isinstance(event, ev.ApprovalRefused)
    return event.why


async def test_the_digest_of_another_incident_approves_nothing() -> None:
    stage = Stage()
    async with stage.running() as engine:
        waiting = await waiting_on(stage, engine)
        cause = waiting.diagnosis.cause if waiting.diagnosis else None
        assert cause is not None
        own, evidence = offered(waiting, "restart-workload"), f"{cause.mode}: {cause.because}"
        assert digest(incident=waiting.id, change=own.change, evidence=evidence) == own.digest
        foreign = digest(incident="INC-0002", change=own.change, evidence=evidence)
        entry = await stage.approve(engine, foreign)
        assert "no change with digest" in refused(entry.event)
        assert not stage.cluster.acts


async def test_nobody_at_the_channel_approves_nothing() -> None:
    stage = Stage()
    async with stage.running() as engine:
        waiting = await waiting_on(stage, engine)
        nobody = Identity(user="", channel="slack")
        entry = await stage.approve(engine, acts(waiting)[0], by=nobody)
        assert "who decides must be known" in refused(entry.event)
        assert not stage.cluster.acts


async def test_an_object_that_was_deleted_voids_the_approval_and_a_person_takes_over() -> None:
    stage = Stage()
    gone = NotThereError("Deployment shop/checkout does not exist")
    async with stage.running() as engine:
        waiting = await waiting_on(stage, engine)
        stage.cluster.fail["workload"] = [gone] * 3
        entry = await stage.approve(engine, acts(waiting)[0])
        assert "does not exist" in refused(entry.event)
        ended = await stage.until(engine, Phase.HANDED_OVER)
        assert "does not exist" in ended.ended_because
        assert not stage.cluster.acts


async def test_a_cluster_that_does_not_answer_refuses_this_approval_and_keeps_the_offer() -> None:
    stage = Stage()
    async with stage.running() as engine:
        waiting = await waiting_on(stage, engine)
        stage.cluster.fail["dry_run"] = [SourceError("the API is away")]
        entry = await stage.approve(engine, acts(waiting)[0])
        assert "could not be checked again: the API is away" in refused(entry.event)
        again = await stage.until(engine, Phase.WAITING)
        assert acts(again) == acts(waiting)
        entry = await stage.approve(engine, acts(waiting)[0])
        assert isinstance(entry.event, ev.RemedyApproved)


async def test_a_dry_run_that_differs_from_the_plan_voids_the_approval() -> None:
    stage = Stage()
    async with stage.running() as engine:
        waiting = await waiting_on(stage, engine)
        stage.cluster.dry_run_refused = "the server would make spec.template of it: 300Mi"
        entry = await stage.approve(engine, acts(waiting)[0])
        assert "300Mi" in refused(entry.event)
        ended = await stage.until(engine, Phase.HANDED_OVER)
        assert "the dry run was refused" in ended.ended_because, "nor is it offered again"
        assert not stage.cluster.acts


@pytest.mark.parametrize(
    "denied",
    [
        DeniedError('admission webhook "limits.example.com" denied the request: too much'),
        ForbiddenError("deployments.apps is forbidden: petops cannot patch"),
        NotThereError("Deployment shop/checkout does not exist"),
    ],
)
async def test_what_the_cluster_denies_after_the_approval_is_tried_once_and_told(
    denied: Exception,
) -> None:
    stage = Stage()
    async with stage.running() as engine:
        waiting = await waiting_on(stage, engine)
        stage.cluster.fail["apply"] = [denied]
        await stage.approve(engine, acts(waiting)[0])
        ended = await stage.until(engine, Phase.FAILED)
        assert isinstance(ended.outcome, ev.ActFailed)
        assert ended.outcome.why == str(denied)
        assert not ended.outcome.changed
        assert not ended.inverse_offer, "nothing was made, so nothing is taken back"
        assert not stage.cluster.acts
