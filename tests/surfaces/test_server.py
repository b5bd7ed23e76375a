"""The daemon's API as its clients meet it: over a real port and a real Unix socket."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import socket
import stat
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import httpx2
import pytest

from petops import wire
from petops.daemon.server import SocketOwner, Tokens, hashed, serve_http, serve_socket, server
from petops.domain.alarm import Alarm
from petops.domain.events import Noted
from petops.domain.policy import Identity
from petops.domain.requests import Acknowledge, ApproveRemedy, CloseIncident, ReportAlarm
from petops.errors import JournalError, PetopsError, UsageError
from tests.surfaces.small_engine import NOW, SmallEngine, alarm

TOKEN = "s3cret-of-ana"  # noqa: S105
WHO = Tokens({hashed("another"): "bob", hashed(TOKEN): "ana"})
OWNER = SocketOwner(Identity(user="kube:ana", channel="socket"))
JSON = {"Content-Type": "application/json"}


def parse(body: bytes) -> Sequence[Alarm]:
    """Stand in for the parsers of webhooks: a list of names, or an object with a text."""
    try:
        found = json.loads(body)
    except ValueError as exc:
        raise UsageError("this is no JSON") from exc
    if isinstance(found, dict):
        return [alarm("one", text=found["text"])]
    return [alarm(name) for name in found]


@pytest.fixture
def engine() -> SmallEngine:
    return SmallEngine()


@pytest.fixture
async def base(engine: SmallEngine) -> AsyncIterator[str]:
    app = server(engine, WHO, {"eventbridge": parse}, body_seconds=0.2, keep_alive_seconds=0.05)
    async with serve_http(app, "127.0.0.1", 0) as url:
        yield url


@pytest.fixture
async def client(base: str) -> AsyncIterator[httpx2.AsyncClient]:
    head = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx2.AsyncClient(base_url=base, headers=head, trust_env=False) as made:
        yield made


async def post(client: httpx2.AsyncClient, body: bytes, path: str = "requests") -> httpx2.Response:
    return await client.post(f"/api/v1/{path}", content=body, headers=JSON)


async def open_incident(engine: SmallEngine) -> None:
    await engine.submit(ReportAlarm(id="r-0", alarm=alarm()), Identity(user="x", channel="x"))


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
async def test_probes_need_no_token(base: str, path: str) -> None:
    async with httpx2.AsyncClient(base_url=base, trust_env=False) as nobody:
        assert (await nobody.get(path)).status_code == 200


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {hashed(TOKEN)}"]
)
async def test_nobody_gets_in_without_a_token(base: str, header: str) -> None:
    async with httpx2.AsyncClient(base_url=base, trust_env=False) as nobody:
        for path in ("board", "incidents", "entries", "nothing", "requests"):
            answer = await nobody.get(f"/api/v1/{path}", headers={"Authorization": header})
            assert answer.status_code == 401
            assert "token" in answer.json()["error"]
            assert answer.headers["www-authenticate"] == "Bearer"


async def test_the_sender_is_who_the_token_says(client: httpx2.AsyncClient) -> None:
    await post(client, wire.request_to_json(ReportAlarm(id="r-1", alarm=alarm())))
    body = {"kind": "acknowledge", "id": "r-2", "incident": "INC-0001", "by": {"user": "root"}}
    claimed = await post(client, json.dumps(body).encode())
    assert claimed.status_code == 400
    assert claimed.json()["error"] == "this is no request: 'by' is no field of acknowledge"
    del body["by"]
    answer = await post(client, json.dumps(body).encode())
    assert answer.status_code == 202
    assert answer.json()["event"]["by"] == {"user": "ana", "channel": "token", "groups": []}


async def test_a_refusal_is_an_entry_with_its_own_status(
    client: httpx2.AsyncClient, engine: SmallEngine
) -> None:
    await open_incident(engine)
    approve = ApproveRemedy(id="r-1", incident="INC-0001", digest="sha256:1")
    answer = await post(client, wire.request_to_json(approve))
    assert answer.status_code == 409
    assert answer.json()["event"]["kind"] == "approval-refused"
    close = CloseIncident(id="r-2", incident="INC-0001", because="x")
    answer = await post(client, wire.request_to_json(close))
    assert (answer.status_code, answer.json()["event"]["kind"]) == (409, "request-refused")


@pytest.mark.slow
async def test_the_board_and_its_incidents_are_shown(
    client: httpx2.AsyncClient, engine: SmallEngine
) -> None:
    await open_incident(engine)
    board = await client.get("/api/v1/board")
    assert wire.board_from_json(board.content) == await engine.board()
    (listed,) = (await client.get("/api/v1/incidents")).json()["incidents"]
    assert (listed["id"], listed["phase"], listed["priority"]) == ("INC-0001", "open", "P1")
    assert listed["opened_at"] == "2026-11-23T06:43:00Z"
    shown = (await client.get("/api/v1/incidents/INC-0001")).json()
    assert shown["history"][0]["event"]["kind"] == "incident-opened"
    assert (await client.get("/api/v1/incidents/INC-0002")).status_code == 404


BAD = {
    "no JSON": (b"{", JSON, 400),
    "an unknown kind": (b'{"kind":"dance"}', JSON, 400),
    "too large": (b" " * (wire.MAX_REQUEST_BYTES + 1), JSON, 413),
    "ten megabytes": (b"{" + b" " * 10 * 1024 * 1024, JSON, 413),
    "another type": (b"{}", {"Content-Type": "text/plain"}, 415),
    "no type": (b"{}", {}, 415),
}


@pytest.mark.parametrize("path", ["requests", "alarms/eventbridge"])
@pytest.mark.parametrize("case", BAD)
async def test_a_bad_body_is_answered_with_one_sentence(
    client: httpx2.AsyncClient, engine: SmallEngine, case: str, path: str
) -> None:
    body, head, status = BAD[case]
    if (case, path) == ("an unknown kind", "alarms/eventbridge"):
        body = b"nonsense"
    answer = await client.post(f"/api/v1/{path}", content=body, headers=head)
    assert answer.status_code == status
    assert set(answer.json()) == {"error", "hint"}
    assert "\n" not in answer.json()["error"]
    assert (await engine.board()).seq == 0


async def test_who_is_turned_away_is_told_so_however_much_it_sends(base: str) -> None:
    """An answer that comes while the sender still writes would be lost with the connection."""
    async with httpx2.AsyncClient(base_url=base, trust_env=False) as nobody:
        body = b"{" + b" " * 10 * 1024 * 1024
        answer = await nobody.post("/api/v1/requests", content=body, headers=JSON)
        assert answer.status_code == 401
        assert "token" in answer.json()["error"]
        assert (await nobody.get("/healthz")).status_code == 200


async def answered(base: str, head: str, body: bytes) -> bytes:
    """Send a body that has no end, and return what is answered all the same."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(base.rpartition(":")[2]))
    try:
        writer.write(
            f"POST /api/v1/requests HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
            f"Content-Type: application/json\r\n{head}\r\n\r\n".encode()
        )
        writer.write(body)
        async with asyncio.timeout(5):
            return await reader.readuntil(b"}")
    finally:
        writer.close()


async def test_a_body_in_pieces_is_bounded_too(base: str) -> None:
    piece = b"186a0\r\n" + b" " * 100_000 + b"\r\n"
    answer = await answered(base, "Transfer-Encoding: chunked", piece * 11)
    assert answer.startswith(b"HTTP/1.1 413 ")


async def test_a_body_that_does_not_come_is_not_waited_for(base: str) -> None:
    answer = await answered(base, "Content-Length: 9", b"{")
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"took too long" in answer


async def test_alarms_are_reported_once(client: httpx2.AsyncClient, engine: SmallEngine) -> None:
    for _ in range(2):
        answer = await post(client, b'["memory", "cpu"]', "alarms/eventbridge")
        assert answer.status_code == 202
        kinds = [one["event"]["kind"] for one in answer.json()["entries"]]
        assert kinds == ["incident-opened", "incident-opened"]
    assert (await engine.board()).seq == 2


async def test_an_alarm_that_cannot_be_written_down_is_turned_away(
    client: httpx2.AsyncClient, engine: SmallEngine
) -> None:
    answer = await post(client, b'{"text": "\\ud800"}', "alarms/eventbridge")
    assert answer.status_code == 400
    assert (await engine.board()).seq == 0


async def test_alarms_of_an_unknown_form_are_turned_away(client: httpx2.AsyncClient) -> None:
    answer = await post(client, b"[]", "alarms/pager")
    assert answer.status_code == 404
    assert "eventbridge" in answer.json()["error"]


@pytest.mark.parametrize(
    ("breaks", "status", "words"),
    [
        (JournalError("no space", hint="free some"), 503, "no space"),
        (ZeroDivisionError("of TOKEN"), 500, "a mistake"),
    ],
)
async def test_a_failing_engine_is_an_answer_without_a_traceback(
    client: httpx2.AsyncClient, engine: SmallEngine, breaks: Exception, status: int, words: str
) -> None:
    engine.breaks = breaks
    answer = await post(client, b'{"kind":"acknowledge","id":"1","incident":"i"}')
    assert answer.status_code == status
    assert words in answer.json()["error"]
    assert "Traceback" not in answer.text
    assert "TOKEN" not in answer.text
    assert (await client.get("/readyz")).status_code == status
    assert (await client.get("/healthz")).status_code == 200


async def test_what_happened_is_counted(client: httpx2.AsyncClient, engine: SmallEngine) -> None:
    await open_incident(engine)
    await post(client, b'{"kind":"acknowledge","id":"1","incident":"INC-0001"}')
    text = (await client.get("/metrics")).text
    assert 'petops_requests_total{kind="acknowledge",outcome="accepted"} 1.0' in text
    assert 'petops_incidents{phase="open"} 1.0' in text
    assert "petops_journal_seq 2.0" in text


async def lines(answer: httpx2.Response, wanted: int) -> list[str]:
    """Return the ids and comments of the first pieces that are not empty."""
    found: list[str] = []
    async with asyncio.timeout(5):
        async for line in answer.aiter_lines():
            if line.startswith((":", "id:")):
                found.append(line)
                if len(found) == wanted:
                    break
    return found


@pytest.mark.parametrize(
    ("query", "head", "ids"),
    [
        ("", {}, [1, 2, 3]),
        ("?after=2", {}, [3]),
        ("?after=0", {"Last-Event-ID": "1"}, [2, 3]),
    ],
)
async def test_entries_follow_after_where_one_was(
    client: httpx2.AsyncClient,
    engine: SmallEngine,
    query: str,
    head: dict[str, str],
    ids: list[int],
) -> None:
    await open_incident(engine)
    for text in ("a", "b"):
        await engine.append("INC-0001", Noted(at=NOW, text=text))
    async with client.stream("GET", f"/api/v1/entries{query}", headers=head) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        found = await lines(answer, len(ids) + 2)
    assert [one for one in found if one.startswith("id")] == [f"id: {one}" for one in ids]
    assert found[-1] == ": alive"


@pytest.mark.parametrize("after", ["x", "-1", "1.5", "9" * 30, "²"])
async def test_a_place_that_is_none_is_a_bad_request(
    client: httpx2.AsyncClient, after: str
) -> None:
    answer = await client.get("/api/v1/entries", params={"after": after})
    assert answer.status_code == 400


async def test_a_follower_that_goes_leaves_nothing_behind(
    client: httpx2.AsyncClient, engine: SmallEngine
) -> None:
    async with client.stream("GET", "/api/v1/entries") as answer:
        await lines(answer, 1)
        assert engine.followers == 1
    async with asyncio.timeout(5):
        while engine.followers:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_followers_are_let_go_when_the_listener_stops(engine: SmallEngine) -> None:
    app = server(engine, OWNER, {})
    async with httpx2.AsyncClient(trust_env=False) as client:
        async with serve_http(app, "127.0.0.1", 0) as url:
            stream = client.stream("GET", f"{url}/api/v1/entries")
            answer = await stream.__aenter__()
            await lines(answer, 1)
            began = time.monotonic()
        assert time.monotonic() - began < 2
        assert engine.followers == 0
        await stream.__aexit__(None, None, None)


async def test_signals_stay_with_who_runs_the_loop(engine: SmallEngine) -> None:
    before = signal.getsignal(signal.SIGINT)
    async with serve_http(server(engine, OWNER, {}), "127.0.0.1", 0) as url:
        async with httpx2.AsyncClient(trust_env=False) as client:
            await client.get(f"{url}/healthz")
        assert signal.getsignal(signal.SIGINT) is before


async def test_a_port_in_use_is_said(engine: SmallEngine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PetopsError, match="in use") as raised:
            async with serve_http(server(engine, OWNER, {}), "127.0.0.1", port):
                pass
    assert raised.value.hint


async def test_what_the_block_raises_comes_out_as_it_is(
    engine: SmallEngine, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="mine"):
        async with serve_socket(server(engine, OWNER, {}), tmp_path / "s"):
            raise UsageError("mine")


def over(path: Path) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        base_url="http://petops", transport=httpx2.AsyncHTTPTransport(uds=str(path))
    )


async def test_the_socket_is_its_owners_and_says_who_that_is(
    engine: SmallEngine, tmp_path: Path
) -> None:
    path = tmp_path / "state" / "petops.sock"
    await open_incident(engine)
    async with serve_socket(server(engine, OWNER, {}), path), over(path) as client:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        seen = wire.request_to_json(Acknowledge(id="1", incident="INC-0001"))
        answer: Any = (await post(client, seen)).json()
    assert answer["event"]["by"]["user"] == "kube:ana"
    assert not path.exists()


async def test_a_dead_process_socket_is_replaced_and_a_live_one_is_not(
    engine: SmallEngine, tmp_path: Path
) -> None:
    path = tmp_path / "petops.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    async with serve_socket(server(engine, OWNER, {}), path):
        with pytest.raises(PetopsError, match="already"):
            async with serve_socket(server(engine, OWNER, {}), path):
                pass
        async with over(path) as client:
            assert (await client.get("/healthz")).status_code == 200


async def test_a_file_in_the_way_is_left_alone(engine: SmallEngine, tmp_path: Path) -> None:
    path = tmp_path / "petops.sock"
    path.write_text("mine")
    with pytest.raises(PetopsError, match="in the way"):
        async with serve_socket(server(engine, OWNER, {}), path):
            pass
    assert path.read_text() == "mine"


async def test_a_path_too_long_for_a_socket_is_said(engine: SmallEngine, tmp_path: Path) -> None:
    with pytest.raises(PetopsError, match="cannot listen"):
        async with serve_socket(server(engine, OWNER, {}), tmp_path / ("x" * 120)):
            pass


async def test_no_token_is_ever_logged(
    client: httpx2.AsyncClient, engine: SmallEngine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)  # httpcore's own debug log shows what its process sends
    engine.breaks = ZeroDivisionError("x")
    await post(client, b'{"kind":"acknowledge","id":"1","incident":"i"}')
    assert TOKEN not in caplog.text
    assert hashed(TOKEN) not in repr(WHO)
