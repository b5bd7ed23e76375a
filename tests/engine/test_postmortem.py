"""The postmortem: somebody who was asleep learns what happened, why, by whom, and what is left."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from petops.domain import events as ev
from petops.domain.alarm import AlarmState
from petops.domain.phases import Phase
from petops.domain.policy import Identity
from petops.programs.acts_made import acts_made
from petops.programs.left_to_do import left_to_do
from petops.programs.postmortem import document, markdown, plain
from tests.engine.stage import NodeStage, Stage, offered

pytestmark = pytest.mark.looptime
BOB = Identity(user="bob", channel="slack")


async def test_it_tells_cause_evidence_change_approver_time_and_what_is_left() -> None:
    stage = Stage()
    async with stage.running() as engine:
        await stage.leak_for(60)
        await stage.report(engine)
        waiting = await stage.until(engine, Phase.WAITING)
        await stage.approve(engine, offered(waiting, "restart-workload"))
        ended = await stage.until(engine, Phase.MITIGATED)
    text = markdown(ended)
    for part in (
        "# INC-0001: memory-leak, Deployment shop/checkout",
        "leaks 120",
        "| speaks for it |",
        "approved by alice (socket)",
        "| Risk | green |",
        "```diff",
        "| MTTR |",
        "- [ ] Remove the cause: it goes on",
        "next kill expected at",
        "- [ ] Find why checkout needed a restart",
        "| 2026-11-23 03:01:00Z |",
        "Offered as well:",
        "- raise-memory-limit (yellow): ",
        "| on offer: undo-rollout (yellow), restart-workload (green), ",
    ):
        assert part in text, part
    assert text.count("questions answered") == 1, "of questions, only how many"
    assert "container-stops" not in text.partition("## Timeline")[2]
    (made,) = acts_made(ended)
    assert ended.applied is not None
    assert made.ended_at == ended.applied.at, "an act ends when it is made"
    whole = json.loads(json.dumps(document(ended)))
    assert whole["incident"] == "INC-0001"
    assert whole["changes"][0]["approved_by"] == ["alice (socket)"]
    assert whole["changes"][0]["outcome"] == "applied; the symptom went, the cause goes on"
    assert len(whole["timeline"]) == len(ended.history)
    assert whole["left_to_do"]


async def test_a_recurrence_is_told_with_its_history() -> None:
    stage = Stage()
    async with stage.running() as engine:
        await stage.leak_for(60)
        await stage.report(engine)
        waiting = await stage.until(engine, Phase.WAITING)
        await stage.approve(engine, offered(waiting, "restart-workload"))
        await stage.until(engine, Phase.MITIGATED)
        await stage.report(engine, stage.alarm(AlarmState.OK))
        await stage.leak_for(60)
        await stage.report(engine)
        again = await stage.until(engine, Phase.WAITING)
    text = markdown(again)
    assert "- It came back: this is round 2" in text
    assert text.count("questions answered") == 2
    assert "- Changed: restart checkout, rolling; approved by alice (socket)" in text
    assert "- [ ] Decide on: " in text


async def test_a_drain_that_was_stopped_is_told_with_both_who_signed_and_what_took_it_back() -> (
    None
):
    stage = NodeStage("drain-node", "add-nodes")
    stage.fleet.held = {"uid-1"}
    async with stage.running() as engine:
        await stage.report(engine)
        waiting = await stage.until(engine, Phase.WAITING)
        await stage.approve(engine, offered(waiting, "drain-node"))
        await stage.approve(engine, offered(waiting, "drain-node"), by=BOB)
        await stage.clock.sleep(20)
        await stage.stop(engine)
        failed = await stage.until(engine, Phase.FAILED)
        assert any(one.startswith("Decide on: uncordon node-a") for one in left_to_do(failed))
        await stage.approve(engine, failed.on_offer[0])
        await stage.clock.sleep(5)
        ended = (await engine.board()).incidents["INC-0001"]
    drain, uncordon = acts_made(ended)
    assert drain.approvers == ("alice (socket)", "bob (slack)")
    assert drain.outcome.startswith("half way: stopped by alice")
    assert uncordon.outcome == "applied: the change before it is taken back"
    text = markdown(ended)
    assert "the change was taken back" in text
    assert "eksctl scale nodegroup" in text
    assert "kubectl uncordon" not in text, "it was opened again"


async def test_what_two_should_have_signed_and_one_did_is_to_be_reviewed() -> None:
    stage = NodeStage("drain-node")
    async with stage.running() as engine:
        await stage.report(engine)
        waiting = await stage.until(engine, Phase.WAITING)
        await stage.break_glass(engine, offered(waiting, "drain-node"))
        ended = await stage.until(engine, Phase.VERIFIED)
    assert any("broke the glass" in one for one in left_to_do(ended))
    assert "| Broke the glass | I am alone and it burns |" in markdown(ended)


async def test_text_of_a_cluster_becomes_no_markup() -> None:
    stage = Stage()
    async with stage.running() as engine:
        await stage.leak_for(60)
        await stage.report(engine)
        found = await stage.until(engine, Phase.WAITING)
    evil = ev.Noted(at=stage.clock.now(), text="| [x](http://evil) <script>\n# `rm` **now**")
    entry = replace(found.history[-1], event=evil, number=found.number + 1)
    text = markdown(found.after(entry))
    assert "[x](http" not in text
    assert "<script>" not in text
    assert "\n# `rm`" not in text
    assert plain("a|b") == r"a\|b"
