"""An engine in another process looks like one in this process."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path

import pytest

from petops.daemon.server import SocketOwner, Tokens, hashed, serve_http, serve_socket, server
from petops.domain.events import Acknowledged, ApprovalRefused, Entry, IncidentOpened, Noted
from petops.domain.policy import Identity
from petops.domain.requests import Acknowledge, ApproveRemedy, CloseIncident, ReportAlarm
from petops.errors import JournalError, PetopsError, UsageError
from petops.journal.sqlite import SqliteJournal
from petops.ports import EngineHandle
from petops.remote import RemoteEngine, connected, socket_is_alive
from tests.surfaces.small_engine import NOW, SmallEngine, alarm

OWNED_BY = Identity(user="ana", channel="socket")
OWNER = SocketOwner(OWNED_BY)
TOKEN = "s3cret"  # noqa: S105
ODD = "a\u2028b\u0085c\x0bd\re\n\nid: 7\n\nf"


@pytest.fixture
def engine() -> SmallEngine:
    return SmallEngine()


ABOUT = {"cluster": "shop", "environment": "production", "version": "1"}


@asynccontextmanager
async def over_socket(engine: SmallEngine, folder: Path) -> AsyncIterator[RemoteEngine]:
    async with (
        serve_socket(server(engine, OWNER, {}, about=ABOUT), folder / "s") as path,
        connected(path) as remote,
    ):
        yield remote


@asynccontextmanager
async def over_http(engine: SmallEngine, _: Path) -> AsyncIterator[RemoteEngine]:
    app = server(engine, Tokens({hashed(TOKEN): "ana"}), {}, about=ABOUT)
    async with serve_http(app, "127.0.0.1", 0) as url, connected(url, TOKEN) as remote:
        yield remote


@pytest.fixture(params=[over_socket, over_http], ids=["socket", "http"])
async def remote(
    request: pytest.FixtureRequest, engine: SmallEngine, tmp_path: Path
) -> AsyncIterator[RemoteEngine]:
    async with request.param(engine, tmp_path) as made:
        yield made


async def test_an_engine_says_which_it_is(remote: RemoteEngine) -> None:
    assert await remote.about() == ABOUT


async def first(entries: AsyncIterator[Entry], wanted: int) -> list[Entry]:
    found: list[Entry] = []
    async with asyncio.timeout(10):
        async for entry in entries:
            found.append(entry)
            if len(found) == wanted:
                break
    return found


async def test_what_is_submitted_is_answered(remote: EngineHandle, engine: SmallEngine) -> None:
    opened = await remote.submit(ReportAlarm(id="r-1", alarm=alarm(text=ODD)))
    assert isinstance(opened.event, IncidentOpened)
    assert opened.event.alarm.text == ODD
    seen = await remote.submit(Acknowledge(id="r-2", incident=opened.incident))
    assert isinstance(seen.event, Acknowledged)
    assert seen.event.by.user == "ana"
    assert await remote.board() == await engine.board()


async def test_a_refusal_is_returned(remote: EngineHandle) -> None:
    await remote.submit(ReportAlarm(id="r-1", alarm=alarm()))
    refused = await remote.submit(ApproveRemedy(id="r-2", incident="INC-0001", digest="x"))
    assert isinstance(refused.event, ApprovalRefused)


async def test_what_is_wrong_with_a_request_is_said(remote: EngineHandle) -> None:
    with pytest.raises(UsageError, match="because is longer"):
        await remote.submit(CloseIncident(id="1", incident="i", because="x" * 3000))


async def test_entries_come_as_they_happen(remote: RemoteEngine, engine: SmallEngine) -> None:
    opened = await remote.submit(ReportAlarm(id="r-1", alarm=alarm()))
    noted = [await engine.append("INC-0001", Noted(at=NOW, text=ODD)) for _ in range(600)]
    async with aclosing(remote.entries(0)) as entries:
        assert await first(entries, 601) == [opened, *noted]
        assert remote.is_following
        later = await engine.append("INC-0001", Noted(at=NOW, text="later"))
        assert await first(entries, 1) == [later]
    assert not remote.is_following


async def test_a_follower_comes_back_by_itself(engine: SmallEngine, tmp_path: Path) -> None:
    first_entry = await engine.submit(ReportAlarm(id="1", alarm=alarm()), OWNED_BY)
    path = tmp_path / "s"
    async with AsyncExitStack() as kept:
        async with serve_socket(server(engine, OWNER, {}), path):
            remote = await kept.enter_async_context(connected(path))
            entries = await kept.enter_async_context(aclosing(remote.entries(0)))
            assert await first(entries, 1) == [first_entry]
        second = await engine.append("INC-0001", Noted(at=NOW, text="meanwhile"))
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(first(entries, 2))
            await asyncio.sleep(0.3)
            assert not remote.is_following
            async with serve_socket(server(engine, OWNER, {}), path):
                third = await engine.append("INC-0001", Noted(at=NOW, text="after"))
                assert await waiting == [second, third]


async def test_a_follower_can_be_cancelled_while_it_tries(
    engine: SmallEngine, tmp_path: Path
) -> None:
    path = tmp_path / "s"
    async with AsyncExitStack() as kept:
        async with serve_socket(server(engine, OWNER, {}), path):
            remote = await kept.enter_async_context(connected(path))
        task = asyncio.create_task(first(remote.entries(0), 1))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_gone_engine_is_said(engine: SmallEngine, tmp_path: Path) -> None:
    path = tmp_path / "s"
    async with AsyncExitStack() as kept:
        async with serve_socket(server(engine, OWNER, {}), path):
            remote = await kept.enter_async_context(connected(path))
            assert socket_is_alive(path)
        assert not socket_is_alive(path)
        with pytest.raises(PetopsError, match="no engine answers") as raised:
            await remote.submit(Acknowledge(id="1", incident="i"))
        assert raised.value.hint


async def test_a_wrong_token_is_said_and_not_tried_again(engine: SmallEngine) -> None:
    app = server(engine, Tokens({hashed(TOKEN): "ana"}), {})
    async with serve_http(app, "127.0.0.1", 0) as url, connected(url, "wrong") as remote:
        with pytest.raises(PetopsError, match="token"):
            await remote.submit(Acknowledge(id="1", incident="i"))
        with pytest.raises(PetopsError, match="token"):
            await first(remote.entries(0), 1)


async def test_a_failing_engine_is_said(remote: EngineHandle, engine: SmallEngine) -> None:
    engine.breaks = JournalError("no space", hint="free some")
    with pytest.raises(PetopsError, match="no space") as raised:
        await remote.submit(Acknowledge(id="1", incident="i"))
    assert raised.value.hint == "free some"


@pytest.mark.parametrize("where", ["", "petops", "ftp://x", "http://", "http://[", "http://x:y"])
async def test_what_is_no_address_is_said(where: str) -> None:
    with pytest.raises(PetopsError):
        async with connected(where):
            pass


async def test_nobody_there_is_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    for where in (tmp_path / "s", f"http://127.0.0.1:{port}"):
        with pytest.raises(PetopsError, match="no engine answers"):
            async with connected(where):
                pass


async def test_a_lost_answer_is_asked_for_again() -> None:
    asked = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        head = await reader.readuntil(b"\r\n\r\n")
        if asked != 2:  # the second connection is closed without a word
            body = (
                b'{"seq":0,"turned_away":0,"loose":0,"entries":[]}' if b"board" in head else b"ok"
            )
            writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n")
            writer.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        async with connected(f"http://127.0.0.1:{port}") as remote:
            assert (await remote.board()).seq == 0
    assert asked == 3


async def test_a_journal_on_disk_is_followed(tmp_path: Path) -> None:
    async with SqliteJournal.open(tmp_path / "journal.db") as journal:
        engine = SmallEngine(journal)
        async with over_socket(engine, tmp_path) as remote:
            opened = await remote.submit(ReportAlarm(id="r-1", alarm=alarm()))
            async with aclosing(remote.entries(0)) as entries:
                assert await first(entries, 1) == [opened]


@pytest.mark.slow
def test_importing_it_imports_no_client() -> None:
    program = "import sys, petops.remote; sys.exit('httpx2' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)  # noqa: S603
