"""The whole way: a leak on the lab, approved in its Slack, while the dashboard watches it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from petops.app import SystemClock
from petops.config import load
from petops.domain.phases import Phase
from petops.lab.running import Lab
from petops.lab.slack_workspace import CHANNEL
from petops.lab.world import World
from petops.programs import chaos
from petops.programs.daemon import serving
from petops.remote import connected
from petops.scenarios import BEHAVIOURS, CATALOGUE
from petops.slack import blocks
from petops.tui.app import Dashboard
from tests.slack.played import words
from tests.tui import looks
from tests.tui.scripted import desk

pytestmark = [pytest.mark.slow, pytest.mark.soak]

PATIENCE = 240.0


async def test_a_slack_approval_repairs_the_leak_while_the_dashboard_watches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SystemClock()
    world = World(clock, behaviours=BEHAVIOURS)
    async with Lab.started(tmp_path / "lab", clock=clock, world=world) as lab:
        for name, value in lab.environment().items():
            monkeypatch.setenv(name, value)
        settings = load(None, lab.environment()).settings
        async with (
            serving(settings, lambda _: None, http=False) as served,
            connected(served.socket) as remote,
        ):
            scenario = CATALOGUE["memory-leak"]
            await chaos.apply(served.running.calls, scenario, ttl=timedelta(minutes=10))
            app = Dashboard(desk(("lab", remote), now=datetime.now(UTC)))
            async with app.run_test(size=(140, 40)) as pilot:
                await looks.until(pilot, "needs approval", PATIENCE)
                card = await _card(lab, "Approve")
                assert "memory-leak" in words(card["blocks"])
                place = {"channel": CHANNEL, "ts": card["ts"]}

                assert await lab.slack.acting.press("U0BEN", place, blocks.APPROVE) == ""
                await _private(lab, "U0BEN")  # he may only look: Kubernetes says so
                assert await lab.slack.acting.press("U0ANA", place, blocks.APPROVE) == ""
                await looks.until(pilot, "recovered", PATIENCE)
            found = (await served.running.engine.board()).incidents["INC-0001"]
            assert found.approved is not None
            assert (found.approved.by.user, found.approved.by.channel) == ("ana", "slack")
            assert found.recovered is not None
            assert found.phase in {Phase.RECOVERED, Phase.MITIGATED, Phase.VERIFIED}
            await _card(lab, "approved by *ana (slack)*")
            thread = lab.slack.workspace.thread(CHANNEL, card["ts"])[1:]
            assert any(one.get("files") for one in thread)
            assert len(lab.slack.workspace.top(CHANNEL)) == 1
            assert lab.slack.limits.ignored == 0


async def _card(lab: Lab, said: str) -> dict[str, Any]:
    """Return the one card, as soon as it says something."""
    async with asyncio.timeout(30):
        while True:
            for one in lab.slack.workspace.top(CHANNEL):
                if said in str(one["blocks"]):
                    return one
            await asyncio.sleep(0.05)


async def _private(lab: Lab, user: str) -> None:
    async with asyncio.timeout(30):
        while not any(  # noqa: ASYNC110
            one["user"] == user and "Not done" in str(one["text"])
            for one in lab.slack.workspace.private
        ):
            await asyncio.sleep(0.05)
