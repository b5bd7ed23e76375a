"""Makes the picture of the lab's Slack, from a recorded incident, in a headless Chromium."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from petops.app import SystemClock  # noqa: E402
from petops.lab.slack_server import LabSlack  # noqa: E402
from petops.lab.slack_workspace import APP_TOKEN, BOT_TOKEN  # noqa: E402
from petops.slack.beside import Given, SlackBeside  # noqa: E402
from petops.slack.due import Rules as Shows  # noqa: E402
from tests.browser import browsing  # noqa: E402
from tests.slack.played import (  # noqa: E402
    LOOK,
    PEOPLE,
    PROPOSED,
    ROUTE,
    STORY,
    PlayedEngine,
)

PICTURE = ROOT / "docs" / "images" / "slack.png"


def now() -> datetime:
    """Return the present time."""
    return datetime.now(UTC)


async def main() -> None:
    """Write the picture."""
    engine = PlayedEngine(now)
    async with LabSlack.started(SystemClock()) as slack:
        given = Given(
            url=f"{slack.url}/api/",
            bot_token=BOT_TOKEN,
            app_token=APP_TOKEN,
            rules=Shows(routes=(ROUTE,)),
            look=LOOK,
            people=PEOPLE,
        )
        side = SlackBeside(engine, given, SystemClock(), lambda _: None)
        task = asyncio.create_task(side.run())
        await engine.play(STORY[:PROPOSED])
        async with browsing(f"{slack.url}/", width=1380, height=940) as page:
            await page.until("!!document.querySelector('.thread-link')")
            while len(slack.workspace.contents) < 1:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
            await asyncio.sleep(2)
            await page.run("document.querySelector('.thread-link').click()")
            await asyncio.sleep(1)
            await page.run("document.querySelector('#replies').scrollTop = 0")
            await asyncio.sleep(0.3)
            PICTURE.write_bytes(await page.picture())
        task.cancel()
        await asyncio.wait({task})
    sys.stdout.write(f"{PICTURE.relative_to(ROOT)}\n")


if __name__ == "__main__":
    asyncio.run(main())
