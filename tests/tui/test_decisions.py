"""What people decide, on both kinds of handle: each asks first, and says who decided and where."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input

from petops.domain import events as ev
from petops.domain.change import Risk
from petops.domain.events import Entry
from petops.domain.policy import Identity
from petops.domain.requests import (
    ApproveRemedy,
    BreakGlass,
    CorrectCause,
)
from tests.tui.doors import full
from tests.tui.looks import settled, text_of, until
from tests.tui.scripted import (
    PROPOSED,
    STORY,
    embedded,
    index_of,
)
from tests.tui.stage import channel, staged

# Drawn by a real Textual loop in wall time: half a minute and more.
pytestmark = pytest.mark.slow

SLACK = Identity(user="kim", channel="slack")


async def test_a_wrong_cause_is_said_and_kept(handle: Any, tmp_path: Path) -> None:
    async with staged(handle, tmp_path, STORY[:PROPOSED], given=full()) as stage:
        await settled(stage.pilot, "enter", "w")
        await until(stage.pilot, "what was it really?")
        await settled(stage.pilot, *"thrott", "enter")
        await until(stage.pilot, "how do you know?")
        assert not stage.engine.submitted
        await settled(stage.pilot, *"seen in cfs", "enter")
        await until(stage.pilot, "says it was cpu-throttling")
        (request,) = stage.engine.submitted
        assert isinstance(request, CorrectCause)
        assert (request.mode, request.because) == ("cpu-throttling", "seen in cfs")


async def test_a_wrong_cause_takes_own_words_and_an_object(handle: Any, tmp_path: Path) -> None:
    async with staged(handle, tmp_path, STORY[:PROPOSED], given=full()) as stage:
        await settled(stage.pilot, "enter", "w")
        stage.app.screen.query_one("#correct-mode", Input).value = "dns on nowhere"
        await settled(stage.pilot, "enter")
        assert not stage.app.screen.query_one("#correct-because", Input).display
        stage.app.screen.query_one("#correct-mode", Input).value = "dns on Node/ip-10-0-0-1"
        await settled(stage.pilot, "enter", "enter")
        await until(stage.pilot, "says it was dns on Node ip-10-0-0-1")


async def test_an_act_under_way_is_stopped_with_a_reason(handle: Any, tmp_path: Path) -> None:
    acting = STORY[: index_of(ev.ActIntended) + 1]
    async with staged(handle, tmp_path, acting) as stage:
        await settled(stage.pilot, "a", "S", "enter")
        await until(stage.pilot, "stop the act under way")
        assert not stage.engine.submitted
        await settled(stage.pilot, *"wrong pod", "enter")
        await until(stage.pilot, f"stopped by ana ({channel(handle)}): wrong pod")
        assert "asked to end where it is" in text_of(stage.app)


def keys_of(app: Any) -> str:
    """The row of keys at the bottom."""
    return text_of(app).rstrip("\n").split("\n")[-1]


async def test_keys_that_have_nothing_to_act_on_are_not_named(tmp_path: Path) -> None:
    async with staged(embedded, tmp_path, ()) as stage:
        await until(stage.pilot, "All is well")
        await settled(stage.pilot)
        assert not {"Open", "Decide", "On it", "Snooze"} & set(keys_of(stage.app).split("  "))
        assert "Decide" not in keys_of(stage.app)
        assert "Filter" in keys_of(stage.app)
    diagnosed = index_of(ev.Diagnosed) + 1
    async with staged(embedded, tmp_path, STORY[:diagnosed]) as stage:
        await settled(stage.pilot)
        assert "On it" in keys_of(stage.app)
        assert "Decide" not in keys_of(stage.app)
        await settled(stage.pilot, "a")
        await until(stage.pilot, "has no change on offer")
        await stage.engine.play(STORY[diagnosed:PROPOSED])
        await until(stage.pilot, "Decide")
        await settled(stage.pilot, "a")
        assert "Approve" in keys_of(stage.app)
    async with staged(embedded, tmp_path, STORY) as stage:
        await settled(stage.pilot, "colon", *"history", "enter", "enter", "a")
        assert "Approve" not in keys_of(stage.app)
        assert "Reject" not in keys_of(stage.app)


def risky(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    """Return the story with a first change that needs two people."""
    *before, last = entries
    event = last.event
    assert isinstance(event, ev.RemediesProposed)
    first, *others = event.proposals
    proposals = (replace(first, risk=Risk.RED), *others)
    return (*before, replace(last, event=replace(event, proposals=proposals)))


async def test_two_people_approve_what_is_risky(handle: Any, tmp_path: Path) -> None:
    async with staged(handle, tmp_path, risky(STORY[:PROPOSED])) as stage:
        digest = stage.incident().proposals[0].digest
        given = ev.ApprovalGiven(at=stage.engine.now, by=SLACK, digest=digest)
        await stage.engine.append("INC-0001", given)
        await settled(stage.pilot, "a")
        await until(stage.pilot, "approved by kim (slack)")
        assert "one more has to" in text_of(stage.app)
        assert "takes two" in text_of(stage.app)


async def test_the_glass_is_broken_only_with_a_reason(handle: Any, tmp_path: Path) -> None:
    async with staged(handle, tmp_path, risky(STORY[:PROPOSED])) as stage:
        await settled(stage.pilot, "a", "G", "enter")
        await until(stage.pilot, "break the glass: approve alone")
        assert not stage.engine.submitted
        await settled(stage.pilot, *"nobody is awake", "enter")
        await until(stage.pilot, "ana broke the glass, alone: nobody is awake")
        (request,) = stage.engine.submitted
        assert isinstance(request, BreakGlass)


async def test_after_a_failure_the_inverse_is_on_offer(handle: Any, tmp_path: Path) -> None:
    applied = STORY[: index_of(ev.RemedyApplied) + 1]
    async with staged(handle, tmp_path, applied) as stage:
        offered = replace(stage.incident().proposals[1], digest="sha256:" + "b" * 64)
        await stage.engine.append(
            "INC-0001",
            ev.RemedyFailed(at=stage.engine.now, because="it leaks on"),
            ev.InverseOffered(at=stage.engine.now, proposals=(offered,), because="it failed"),
        )
        await until(stage.pilot, "take it back?")
        await settled(stage.pilot, "a", "a")
        await until(stage.pilot, "approve this change")
        await settled(stage.pilot, *"yes", "enter")
        request = stage.engine.submitted[-1]
        assert isinstance(request, ApproveRemedy)
        assert request.digest == offered.digest


async def test_what_was_decided_in_slack_says_so(handle: Any, tmp_path: Path) -> None:
    async with staged(handle, tmp_path, STORY[:PROPOSED]) as stage:
        digest = stage.incident().proposals[0].digest
        await settled(stage.pilot, "a")
        decided = ev.RemedyApproved(at=stage.engine.now, by=SLACK, digest=digest)
        await stage.engine.append("INC-0001", decided)
        await until(stage.pilot, "approved by kim (slack)")


async def test_production_is_what_the_engine_says(tmp_path: Path) -> None:
    async with staged(embedded, tmp_path, STORY[:PROPOSED], name="prod-eu") as stage:
        assert "PROD" in text_of(stage.app)
        feed = stage.app.desk.feeds[0]
        feed.environment = "staging"
        assert not feed.is_production
        feed.environment = "production"
        assert feed.is_production_of("anything")
