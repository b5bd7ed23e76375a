"""The pages that links lead to: read only, for who may read, and nothing of them is markup."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import httpx2
import pytest

from petops.daemon.identity import Tokens, hashed
from petops.daemon.server import serve_http, server
from petops.domain.access import AccessToken, Role
from petops.domain.policy import Identity
from petops.domain.requests import ReportAlarm
from tests.surfaces.small_engine import SmallEngine, alarm

EVIL = "<script>alert(1)</script>'\"><img src=x onerror=1>"
TOKEN = "t-viewer"  # noqa: S105
WHO = Tokens({}, [AccessToken(sha256=hashed(TOKEN), user="ana", roles=(Role.VIEWER,))])


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    engine = SmallEngine()
    report = ReportAlarm(id="r", alarm=alarm(name=EVIL, text=EVIL))
    await engine.submit(report, Identity(user=EVIL, channel="x"))
    app = server(engine, WHO, {})
    async with (
        serve_http(app, "127.0.0.1", 0) as url,
        httpx2.AsyncClient(base_url=url, trust_env=False) as made,
    ):
        yield made


async def test_a_page_shows_the_incident_and_escapes_everything(client: httpx2.AsyncClient) -> None:
    head = {"Authorization": f"Bearer {TOKEN}"}
    for path in ("/incidents/INC-0001", "/incidents"):
        page = await client.get(path, headers=head)
        assert page.status_code == 200
        assert "INC-0001" in page.text
        assert "<script" not in page.text
        assert "<img" not in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert page.headers["cache-control"] == "no-store"
    assert "&lt;script&gt;" in page.text or "search" in page.text


@pytest.mark.parametrize("path", ["/incidents", "/incidents/INC-0001", "/incidents/NONE"])
async def test_without_a_token_there_is_a_form_and_nothing_else(
    client: httpx2.AsyncClient, path: str
) -> None:
    page = await client.get(path)
    assert page.status_code == 401
    assert "type='password'" in page.text
    assert "search" not in page.text


async def test_a_token_in_the_form_opens_the_pages_and_not_the_api(
    client: httpx2.AsyncClient,
) -> None:
    form = {"token": TOKEN, "to": "/incidents/INC-0001"}
    answer = await client.post("/login", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/incidents/INC-0001")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert TOKEN not in cookie
    assert (await client.get("/incidents/INC-0001")).status_code == 200
    assert (await client.get("/incidents/INC-0099")).status_code == 404
    assert (await client.get("/api/v1/board")).status_code == 401


@pytest.mark.parametrize("token", ["", "wrong", "é", "x" * 40_000])
async def test_a_wrong_token_gets_the_form_again(client: httpx2.AsyncClient, token: str) -> None:
    answer = await client.post("/login", data={"token": token, "to": "/incidents"})
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("to", ["https://evil.example", "//evil", "/incidents\\evil", "/x"])
async def test_the_form_leads_nowhere_else(client: httpx2.AsyncClient, to: str) -> None:
    answer = await client.post("/login", data={"token": TOKEN, "to": to})
    assert answer.headers["location"] == "/incidents"


async def test_a_forged_or_changed_cookie_opens_nothing(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/login", data={"token": TOKEN})
    found = re.match(r'petops="?([^;"]+)', answer.headers["set-cookie"])
    assert found is not None
    value = found[1]
    client.cookies.clear()
    for bad in ("x", value[:-1] + ("0" if value[-1] != "0" else "1"), "é.é", f"A{value}"):
        page = await client.get("/incidents", headers={b"Cookie": f"petops={bad}".encode()})
        assert page.status_code == 401
