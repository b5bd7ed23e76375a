"""Slack over the real protocols on this machine: how soon a message stands, and a press counts.

Prints one JSON object. The engine is a journal with real decisions, its incidents are a recorded
one; Slack is the lab's, with its rate limits. Everything is in one process.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from petops.app import SystemClock
from petops.domain import events as ev
from petops.lab.slack_server import LabSlack
from petops.lab.slack_workspace import APP_TOKEN, BOT_TOKEN, CHANNEL
from petops.slack import blocks
from petops.slack.beside import Given, SlackBeside
from petops.slack.due import Rules as Shows
from tests.slack.played import (
    LOOK,
    PEOPLE,
    PROPOSED,
    ROUTE,
    STORY,
    PlayedEngine,
    opening,
)

POSTS = 40
PRESSES = 100
AT_ONCE = 100


def now() -> datetime:
    """Return the present time."""
    return datetime.now(UTC)


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, 99th percentile and maximum, in seconds."""
    found = sorted(values)
    return {
        "median": round(statistics.median(found), 4),
        "p99": round(found[min(len(found) - 1, int(len(found) * 0.99))], 4),
        "max": round(found[-1], 4),
    }


@asynccontextmanager
async def stage(**shows: Any) -> AsyncIterator[tuple[LabSlack, PlayedEngine]]:
    """Run Slack, and petops beside an engine."""
    engine = PlayedEngine(now)
    async with LabSlack.started(SystemClock()) as slack:
        given = Given(
            url=f"{slack.url}/api/",
            bot_token=BOT_TOKEN,
            app_token=APP_TOKEN,
            rules=Shows(routes=(ROUTE,), **shows),
            look=LOOK,
            people=PEOPLE,
            cluster="bench",
        )
        side = SlackBeside(engine, given, SystemClock(), lambda _: None)
        task = asyncio.create_task(side.run())
        try:
            await asyncio.wait_for(side.listening.wait(), 20)
            yield slack, engine
        finally:
            task.cancel()
            await asyncio.wait({task})


async def until(wanted: Callable[[], object], seconds: float = 60) -> None:
    """Wait until that is so."""
    async with asyncio.timeout(seconds):
        while not wanted():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def posting() -> dict[str, Any]:
    """From an incident's first entry to its message, a second or more apart."""
    took = []
    async with stage() as (slack, engine):
        for number in range(1, POSTS + 1):
            await asyncio.sleep(1.05)
            began = time.monotonic()
            # Opened further apart than they are, so that no storm is seen in them.
            event = opening(f"s-{number}", now() - timedelta(minutes=10 * (POSTS - number)))
            await engine.append(f"INC-{number:04d}", event)
            await until(lambda number=number: len(slack.workspace.top(CHANNEL)) >= number)  # type: ignore[misc]
            took.append(time.monotonic() - began)
        return {"entry_to_posted_seconds": spread(took), "limited": slack.limits.limited}


async def pressing() -> dict[str, Any]:
    """From a press to its acknowledgement, and to the journaled decision."""
    acknowledged, journaled = [], []
    async with stage(storm_incidents=10_000) as (slack, engine):
        for number in range(1, PRESSES + 1):
            name = f"INC-{number:04d}"
            await engine.play(STORY[1:PROPOSED], name)
            found = engine.record.board.incidents[name]
            # A card as the mirror posts it, without waiting a second for each.
            card = slack.workspace.post(
                CHANNEL, {"text": name, "blocks": list(blocks.card(found, LOOK, now()).blocks)}
            )
            mirrored = ev.Mirrored(
                at=now(),
                surface="slack",
                part="card",
                channel=CHANNEL,
                message=card["ts"],
                shown=99,
            )
            await engine.append(name, mirrored)
            place = {"channel": CHANNEL, "ts": card["ts"]}
            began = time.monotonic()
            press = asyncio.create_task(slack.acting.press("U0ANA", place, blocks.APPROVE))
            await until(lambda name=name: engine.record.board.incidents[name].approved)  # type: ignore[misc]
            journaled.append(time.monotonic() - began)
            await press
        acknowledged = list(slack.delivery.took)
    return {
        "press_to_acknowledged_seconds": spread(acknowledged),
        "press_to_journaled_seconds": spread(journaled),
    }


async def at_once(storm_incidents: int) -> dict[str, Any]:
    """So many incidents in one moment: how long until all stand there, and what Slack said."""
    async with stage(storm_incidents=storm_incidents) as (slack, engine):
        began = time.monotonic()
        for number in range(1, AT_ONCE + 1):
            await engine.append(f"INC-{number:04d}", opening(f"s-{number}", now()))

        def all_there() -> bool:
            text = json.dumps([one["blocks"] for one in slack.workspace.top(CHANNEL)])
            cards = len(slack.workspace.top(CHANNEL))
            return cards == AT_ONCE or f"Storm: {AT_ONCE - storm_incidents + 1} " in text

        async with asyncio.timeout(300):
            while not all_there():  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        return {
            "seconds": round(time.monotonic() - began, 1),
            "messages": len(slack.workspace.top(CHANNEL)),
            "answered_429": slack.limits.limited,
            "ignored_429": slack.limits.ignored,
        }


async def measured() -> dict[str, Any]:
    """Measure one thing after the other."""
    return {
        **await posting(),
        **await pressing(),
        "a_hundred_at_once": await at_once(8),
        "a_hundred_at_once_no_storm": await at_once(10_000),
    }


def main() -> None:
    """Print the figures."""
    sys.stdout.write(json.dumps(asyncio.run(measured()), indent=2) + "\n")


if __name__ == "__main__":
    main()
