"""One-way notifiers: told once what they want told, over HTTP, and again only where it got lost."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from petops.app import SystemClock
from petops.config import load
from petops.daemon.listen import serve_http
from petops.domain import events as ev
from petops.domain.alarm import Priority
from petops.errors import UsageError
from petops.programs.notifying import notifiers, notifying
from tests.slack.played import ANA, MITIGATED, STORY, PlayedEngine, opening

pytestmark = pytest.mark.slow


class Service:
    """Takes what is posted; `answers` are the statuses of the next ones."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, Any], dict[str, str], bytes]] = []
        self.answers: list[int] = []

    async def take(self, request: Request) -> Response:
        body = await request.body()
        status = self.answers.pop(0) if self.answers else 202
        if status == 202:
            self.got.append((json.loads(body), dict(request.headers), body))
        return Response(status_code=status)

    def said(self, key: str) -> list[str]:
        return [one[key] for one, _, _ in self.got]


def now() -> datetime:
    return datetime.now(UTC)


@asynccontextmanager
async def service() -> AsyncIterator[tuple[Service, str]]:
    made = Service()
    app = Starlette(routes=[Route("/in", made.take, methods=["POST"])])
    app.state.stopping = asyncio.Event()
    async with serve_http(app, "127.0.0.1", 0) as url:
        yield made, f"{url}/in"


async def until(wanted: Any, seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not wanted():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_pagerduty_is_triggered_acknowledged_and_resolved_once() -> None:
    engine, said = PlayedEngine(now), list[str]()
    async with service() as (made, url):
        variables = {"PETOPS_PAGERDUTY_KEY": "R0KEY", "PETOPS_PAGERDUTY_URL": url}
        settings = load(None, variables).settings
        made.answers = [503]
        async with notifying(settings, engine, SystemClock(), said.append):
            await engine.append("INC-0001", opening("search", now(), priority=Priority.P1))
            await engine.append("INC-0002", opening("minor", now(), priority=Priority.P4))
            await until(lambda: engine.record.board.incidents["INC-0001"].mirrored)
        async with notifying(settings, engine, SystemClock(), said.append):
            await engine.append("INC-0001", ev.Acknowledged(at=now(), by=ANA))
            await until(lambda: made.said("event_action")[-1] == "acknowledge")
            await engine.append("INC-0001", ev.Closed(at=now(), by=ANA, because="over"))
            await until(lambda: made.said("event_action")[-1] == "resolve")
            await asyncio.sleep(0.2)
    assert made.said("event_action") == ["trigger", "acknowledge", "resolve"]
    assert len(set(made.said("dedup_key"))) == 1
    event = made.got[0][0]
    assert event["payload"]["severity"] == "critical"
    assert "search" in event["payload"]["summary"]
    assert len(said) == 1, "the trouble was said once"


async def test_a_webhook_gets_each_phase_signed() -> None:
    engine = PlayedEngine(now)
    async with service() as (made, url):
        variables = {
            "PETOPS_WEBHOOK_URL": url,
            "PETOPS_WEBHOOK_SECRET": "s3cret",
            "PETOPS_NOTIFY_PRIORITIES": "P1,P2,P3,P4",
        }
        async with notifying(load(None, variables).settings, engine, SystemClock(), print):
            for one in STORY[:MITIGATED]:
                await engine.play([one])
                await asyncio.sleep(0.02)
            await until(lambda: "mitigated" in made.said("phase"))
    phases = made.said("phase")
    assert phases == list(dict.fromkeys(phases)), "each once"
    assert made.got[-1][0]["mode"] == "memory-leak"
    for _, headers, body in made.got:
        mark = hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()
        assert headers["x-petops-signature"] == f"sha256={mark}"
        assert headers["idempotency-key"]


async def test_a_service_that_will_never_take_it_is_said_and_left_alone() -> None:
    engine, said = PlayedEngine(now), list[str]()
    async with service() as (made, url):
        made.answers = [401]
        async with notifying(
            load(None, {"PETOPS_WEBHOOK_URL": url}).settings, engine, SystemClock(), said.append
        ):
            await engine.append("INC-0001", opening("search", now()))
            await until(lambda: said)
            await asyncio.sleep(0.2)
    assert made.got == []
    assert "HTTP 401" in said[0]


def test_an_address_that_is_none_is_said() -> None:
    settings = load(None, {"PETOPS_WEBHOOK_URL": "nonsense"}).settings
    with pytest.raises(UsageError, match="is no address"):
        notifiers(settings)
