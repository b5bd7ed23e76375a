"""What a bug in petops costs: one answer, one failure mode's word, or one incident; never more."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import NoReturn

import pytest

from petops.domain import events as ev
from petops.domain.diagnosis import Verdict
from petops.domain.phases import Phase
from petops.engine.engine import Engine
from petops.engine.fence import bugs_in
from petops.playbooks import MODES
from tests.engine.stage import Stage

pytestmark = [pytest.mark.looptime, pytest.mark.bug]
TEXT = "text of the world"


def broken(*_: object, **__: object) -> NoReturn:
    raise KeyError(TEXT)


async def until_waiting(stage: Stage, engine: Engine) -> None:
    await stage.leak_for(60)
    await stage.report(engine)
    await stage.until(engine, Phase.WAITING)


async def test_a_bug_in_one_question_leaves_the_others_their_verdict() -> None:
    stage = Stage()
    stage.cluster.fail["rollouts"] = [RuntimeError(TEXT)]
    async with stage.running() as engine:
        await until_waiting(stage, engine)
        found = (await engine.board()).incidents["INC-0001"]
        assert found.diagnosis is not None
        assert found.diagnosis.cause is not None
        assert found.diagnosis.cause.mode == "memory-leak"
        gap = next(one for one in found.diagnosis.gaps if one.why.startswith("a bug"))
        assert gap.step == "recent-rollouts"
        assert "RuntimeError at leaky.py:" in gap.why
        assert TEXT not in gap.why
        (told,) = bugs_in(found.diagnosis)
        assert told == f"recent-rollouts: {gap.why}"


async def test_a_bug_in_one_failure_mode_leaves_the_others_their_verdict() -> None:
    stage = Stage()
    stage.modes = {**MODES, "bad-rollout": replace(MODES["bad-rollout"], conclude=broken)}
    async with stage.running() as engine:
        await until_waiting(stage, engine)
        found = (await engine.board()).incidents["INC-0001"].diagnosis
        assert found is not None
        assert found.cause is not None
        assert found.cause.mode == "memory-leak"
        (other,) = (one for one in found.rivals if one.mode == "bad-rollout")
        assert other.verdict is Verdict.UNDECIDED
        assert "bad-rollout was not judged: a bug in petops: KeyError" in other.because
        assert TEXT not in other.because
        assert bugs_in(found) == (other.because,)


async def test_a_bug_outside_of_both_hands_the_incident_over_and_ends_nothing_else() -> None:
    stage = Stage()
    stage.modes = {**MODES, "memory-leak": replace(MODES["memory-leak"], suspect=broken)}
    async with stage.running() as engine:
        await stage.leak_for(60)
        began = stage.clock.now()
        await stage.report(engine)
        ended = await stage.until(engine, Phase.HANDED_OVER)
        assert stage.clock.now() - began < timedelta(seconds=15)
        last = ended.history[-1].event
        assert isinstance(last, ev.NothingToPropose)
        assert last.because.startswith("a bug in petops: KeyError at ")
        assert TEXT not in last.because
        again = await stage.report(engine, stage.alarm(fingerprint="another", name="another"))
        assert isinstance(again.event, ev.Reopened)


async def test_a_bug_in_the_look_after_a_change_is_not_taken_for_recovery() -> None:
    stage = Stage()
    leak = replace(MODES["memory-leak"], judge=broken)
    stage.modes = {**MODES, "memory-leak": leak}
    async with stage.running() as engine:
        await until_waiting(stage, engine)
        waiting = (await engine.board()).incidents["INC-0001"]
        change = next(one for one in waiting.on_offer if one.remedy == "restart-workload")
        await stage.approve(engine, change)
        ended = await stage.until(engine, Phase.FAILED)
        assert isinstance(ended.outcome, ev.RemedyFailed)
        assert "a bug in petops: KeyError" in ended.outcome.because
        assert len(stage.cluster.acts) == 1
