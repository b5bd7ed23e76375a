"""Slack's side over the real protocols: Web API, Socket Mode, signed HTTP, and the lab's page."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from starlette.applications import Starlette

from petops.app import SystemClock
from petops.daemon.listen import serve_http
from petops.domain import events as ev
from petops.domain.phases import Phase
from petops.domain.requests import ApproveRemedy
from petops.lab.slack_api import EVERYTHING, SCOPES
from petops.lab.slack_delivery import signed
from petops.lab.slack_server import LabSlack
from petops.lab.slack_workspace import APP_TOKEN, BOT_TOKEN, CHANNEL, SIGNING_SECRET
from petops.slack import blocks
from petops.slack.beside import Given, SlackBeside
from petops.slack.calls import SCOPES as CALLED
from petops.slack.check import check
from petops.slack.due import Rules as Shows
from petops.slack.manifest import manifest, scopes
from tests.browser import browsing
from tests.slack.played import ANA, LOOK, PEOPLE, PROPOSED, ROUTE, STORY, PlayedEngine, words

pytestmark = pytest.mark.slow

INCIDENT = "INC-0001"
SECONDS = 15.0


def now() -> datetime:
    return datetime.now(UTC)


async def until(wanted: Callable[[], object], seconds: float = SECONDS) -> Any:
    async with asyncio.timeout(seconds):
        while not (found := wanted()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return found


@asynccontextmanager
async def beside(
    slack: LabSlack, engine: PlayedEngine, **changes: Any
) -> AsyncIterator[SlackBeside]:
    """Run Slack's side on an engine until the block ends."""
    given = Given(
        url=f"{slack.url}/api/",
        bot_token=BOT_TOKEN,
        app_token=APP_TOKEN,
        rules=Shows(routes=(ROUTE,)),
        look=LOOK,
        people=PEOPLE,
        cluster="lab",
    )
    side = SlackBeside(engine, replace(given, **changes), SystemClock(), lambda _: None)
    task = asyncio.create_task(side.run())
    try:
        if side.given.app_token:
            await asyncio.wait_for(side.listening.wait(), SECONDS)
        yield side
    finally:
        task.cancel()
        await asyncio.wait({task})


@asynccontextmanager
async def proposed(**changes: Any) -> AsyncIterator[tuple[LabSlack, PlayedEngine, SlackBeside]]:
    """Run Slack and its side, with an incident that waits for a decision."""
    engine = PlayedEngine(now)
    async with LabSlack.started(SystemClock()) as slack, beside(slack, engine, **changes) as side:
        await engine.play(STORY[:PROPOSED])
        await until(lambda: len(slack.workspace.top(CHANNEL)) == 1)
        await until(lambda: "Approve" in str(slack.workspace.top(CHANNEL)[0]))
        yield slack, engine, side


def phase(engine: PlayedEngine) -> Phase:
    return engine.record.board.incidents[INCIDENT].phase


async def press(slack: LabSlack, user: str, action: str, value: str = "") -> str:
    card = slack.workspace.top(CHANNEL)[0]
    return await slack.acting.press(user, {"channel": CHANNEL, "ts": card["ts"]}, action, value)


async def test_an_approval_by_socket_is_journaled_and_shown() -> None:
    async with proposed() as (slack, engine, _):
        assert await press(slack, "U0ANA", blocks.APPROVE) == ""
        await until(lambda: phase(engine) is Phase.REPAIRING)
        await until(lambda: "ana (slack)" in words(slack.workspace.top(CHANNEL)[0]["blocks"]))
        assert slack.limits.ignored == 0


async def test_an_envelope_that_comes_again_has_one_effect() -> None:
    async with proposed() as (slack, engine, _):
        await press(slack, "U0ANA", blocks.ACKNOWLEDGE)
        await until(lambda: engine.record.board.incidents[INCIDENT].acknowledged)
        assert await slack.delivery.again() is not None, "it is acknowledged each time"
        await slack.delivery.hang_up()
        await until(lambda: slack.delivery.connections >= 1)
        await asyncio.sleep(0.5)
        assert await slack.delivery.again() is not None
        await asyncio.sleep(0.3)
        history = engine.record.board.incidents[INCIDENT].history
        assert sum(isinstance(one.event, ev.Acknowledged) for one in history) == 1


@pytest.mark.parametrize("politely", [True, False], ids=["refresh", "cut"])
async def test_a_connection_that_ends_is_opened_again(politely: bool) -> None:
    async with proposed() as (slack, engine, _):
        for _ in range(3):
            await slack.delivery.hang_up(politely=politely)
        assert await press(slack, "U0ANA", blocks.APPROVE) == ""
        await until(lambda: phase(engine) is Phase.REPAIRING)


async def test_slack_that_goes_away_and_comes_back_is_caught_up_with() -> None:
    async with proposed() as (slack, engine, _):
        slack.away = True
        await slack.delivery.hang_up(politely=False)
        await engine.append(INCIDENT, ev.Acknowledged(at=now(), by=ANA))
        await asyncio.sleep(1.0)
        slack.away = False
        card = slack.workspace.top(CHANNEL)[0]
        await until(lambda: "acknowledged by ana" in words(card["blocks"]))
        await until(lambda: slack.delivery.connections == 2)
        assert len(slack.workspace.top(CHANNEL)) == 1


async def test_an_answer_that_is_lost_on_the_wire_is_settled_by_looking() -> None:
    engine = PlayedEngine(now)
    async with LabSlack.started(SystemClock()) as slack:
        slack.lose = 1
        async with beside(slack, engine):
            await engine.play(STORY[:PROPOSED])
            await until(lambda: engine.record.board.incidents[INCIDENT].mirror("slack", "card"))
            await asyncio.sleep(0.5)
        assert len(slack.workspace.top(CHANNEL)) == 1


async def test_a_button_is_acknowledged_at_once_and_journaled_within_a_second() -> None:
    async with proposed() as (slack, engine, _):
        began = time.monotonic()
        await press(slack, "U0ANA", blocks.APPROVE)
        await until(lambda: phase(engine) is Phase.REPAIRING)
        assert time.monotonic() - began < 5.0, "benchmarks/slack.py has the figure"
        assert slack.delivery.took


@asynccontextmanager
async def by_http() -> AsyncIterator[tuple[LabSlack, PlayedEngine, str]]:
    async with proposed(app_token="", signing_secret=SIGNING_SECRET) as (slack, engine, side):
        await until(lambda: side.inbox)
        doors = side.doors()
        assert doors is not None
        app = Starlette(routes=doors.routes())
        app.state.stopping = asyncio.Event()
        async with serve_http(app, "127.0.0.1", 0) as url:
            slack.delivery.request_url = url
            yield slack, engine, url


async def test_signed_http_is_the_other_way_in() -> None:
    async with by_http() as (slack, engine, _):
        assert await press(slack, "U0ANA", blocks.APPROVE) == ""
        await until(lambda: phase(engine) is Phase.REPAIRING)


async def test_forged_old_and_replayed_requests_are_turned_away() -> None:
    async with by_http() as (slack, engine, url):
        await press(slack, "U0ANA", blocks.DETAILS)
        payload = dict(slack.delivery.sent[-1]["payload"])
        offer = engine.record.board.incidents[INCIDENT].on_offer[0]
        action = {"action_id": blocks.APPROVE, "value": blocks.value_of(INCIDENT, offer.digest)}
        payload["actions"] = [payload["actions"][0] | action]

        async def post(body: bytes, headers: dict[str, str]) -> int:
            async with (
                aiohttp.ClientSession() as client,
                client.post(f"{url}/slack/interactive", data=body, headers=headers) as answer,
            ):
                return answer.status

        body, headers = signed("interactive", payload, now(), secret="guessed")  # noqa: S106
        assert await post(body, headers) == 401
        body, headers = signed("interactive", payload, now() - timedelta(minutes=6))
        assert await post(body, headers) == 401
        body, headers = signed("interactive", payload, now())
        assert await post(body + b"&x=1", headers) == 401
        assert await post(body, {k: v for k, v in headers.items() if "Signature" not in k}) == 401
        assert phase(engine) is Phase.WAITING
        assert await post(body, headers) == 200
        assert await post(body, headers) == 401, "a replay"
        await until(lambda: phase(engine) is Phase.REPAIRING)


async def test_the_scopes_of_the_manifest_are_those_that_are_used() -> None:
    """The lab's app gets what the manifest says, and nothing more; then everything is done once."""
    granted = frozenset(manifest()["oauth_config"]["scopes"]["bot"])
    async with LabSlack.started(SystemClock()) as slack:
        slack.api.granted = granted
        engine = PlayedEngine(now)
        slack.lose = 1  # so that the channel is looked at, too
        async with beside(slack, engine):
            await engine.play(STORY[:PROPOSED])
            card = await until(lambda: slack.workspace.top(CHANNEL))
            await until(lambda: "Approve" in str(card))
            thread = await until(lambda: slack.workspace.thread(CHANNEL, card[0]["ts"])[1:])
            assert thread
            await press(slack, "U0ANA", blocks.DETAILS)
            await slack.acting.look_home("U0ANA")
            await until(lambda: slack.workspace.homes)
            await until(lambda: slack.workspace.files)
            await check(f"{slack.url}/api/", BOT_TOKEN, APP_TOKEN, [CHANNEL])
        called = set(slack.api.called)
    assert called <= set(CALLED)
    needed = {scope for method in CALLED for scope in SCOPES[method]}
    assert needed <= granted
    private = {one.replace("channels:", "groups:") for one in needed if "channels:" in one}
    assert granted - needed - private == {"commands"}
    assert set(scopes()) == granted


async def test_the_doctor_says_what_is_wrong() -> None:
    async with LabSlack.started(SystemClock()) as slack:
        url = f"{slack.url}/api/"
        well = await check(url, BOT_TOKEN, APP_TOKEN, [CHANNEL])
        assert [one.ok for one in well] == [True] * 4
        (token,) = await check(url, "xoxb-wrong", APP_TOKEN, [CHANNEL])
        assert (token.ok, "invalid_auth" in token.found, bool(token.fix)) == (False, True, True)
        found = await check(url, BOT_TOKEN, "xapp-wrong", ["C0ELSEWHERE", "C0NOWHERE"])
        assert [one.ok for one in found] == [True, True, False, False, False]
        assert "/invite" in found[2].fix
        slack.api.granted = EVERYTHING - {"files:write"}
        missing = (await check(url, BOT_TOKEN, APP_TOKEN, []))[1]
        assert (missing.ok, "files:write" in missing.found) == (False, True)
        (away,) = await check("http://127.0.0.1:9/api/", BOT_TOKEN, APP_TOKEN, [CHANNEL])
        assert not away.ok


async def test_approve_is_clicked_on_the_page() -> None:
    """As a person would: read, press Approve, confirm; and what came of it shows at once."""
    async with proposed() as (slack, engine, _), browsing(f"{slack.url}/") as page:
        await until(lambda: slack.workspace.contents)  # the chart: nothing moves any more
        await page.until("!!document.querySelector('.message')")
        title = await page.run("document.querySelector('.block.header').textContent")
        assert "memory-leak" in title
        await page.click("[data-action='petops.approve']")
        asked = await page.until("document.querySelector('[role=alertdialog]')?.textContent")
        for said in ("cluster", "namespace default", "digest"):
            assert said in asked
        assert phase(engine) is Phase.WAITING, "nothing happens before it is confirmed"
        await page.click("#confirm")
        await until(lambda: phase(engine) is Phase.REPAIRING)
        await page.until("document.body.textContent.includes('approved by ana (slack)')")
        assert not await page.run("!!document.querySelector(\"[data-action='petops.approve']\")")


async def test_reject_and_what_is_told_alone_on_the_page() -> None:
    async with proposed() as (slack, engine, _), browsing(f"{slack.url}/") as page:
        await page.click("[data-action='petops.reject']")
        await page.until("!!document.querySelector('[data-field=because]')")
        await page.type("[data-field=because]", "not in the rush hour")
        await page.click("#submit")
        await until(lambda: engine.record.board.incidents[INCIDENT].rejected)
        await page.choose("#who", "U0CLEO")
        await page.until("!!document.querySelector(\"[data-action='petops.acknowledge']\")")
        alone = "document.body.textContent.includes('nobody is mapped to U0CLEO')"
        await page.click_until("[data-action='petops.acknowledge']", alone)
        await page.until("document.body.textContent.includes('Only visible to you')")
        await page.choose("#who", "U0ANA")
        await page.until("!document.body.textContent.includes('nobody is mapped')")


async def test_slack_and_another_surface_see_the_same_decision() -> None:
    """Whoever follows the engine elsewhere, as the dashboard does, sees what Slack decided."""
    async with proposed() as (slack, engine, _):
        seen: list[ev.Entry] = []

        async def follow() -> None:
            async for entry in engine.entries(after=0):
                seen.append(entry)  # noqa: PERF401 - it has no end

        task = asyncio.create_task(follow())
        await press(slack, "U0ANA", blocks.APPROVE)
        await until(lambda: any(isinstance(one.event, ev.RemedyApproved) for one in seen))
        task.cancel()
        offer = engine.record.board.incidents[INCIDENT].approved
        assert offer is not None
        late = ApproveRemedy(id="late", incident=INCIDENT, digest=offer.digest)
        entry = await engine.submit(late, ANA)
        assert isinstance(entry.event, ev.ApprovalRefused)
        assert "by slack" in entry.event.why


async def test_the_labs_page_is_served_whole() -> None:
    async with LabSlack.started(SystemClock()) as slack, aiohttp.ClientSession() as client:
        for path in ("/", "/page.js", "/page.css"):
            async with client.get(slack.url + path) as answer:
                assert answer.status == 200
                assert await answer.text()
        async with client.get(f"{slack.url}/lab/state?user=U0ANA") as answer:
            assert json.loads(await answer.text())["connected"] is False
        async with client.post(f"{slack.url}/lab/act", data=b"nonsense") as answer:
            assert answer.status == 400
