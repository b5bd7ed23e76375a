"""`petops tui --web`: a browser on this machine gets the dashboard, nobody else gets anything."""

from __future__ import annotations

import asyncio
import re
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import WSMsgType

from petops.daemon.server import Tokens, hashed, serve_http, server
from tests.surfaces.terminals import Terminal
from tests.tui.scripted import ABOUT, PROPOSED, STORY, ScriptedEngine

pytestmark = pytest.mark.slow

TOKEN = "s3cret"  # noqa: S105


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[str]:
    """Serve the dashboard on a scripted engine; yield the address that is printed."""
    api = server(ScriptedEngine(STORY[:PROPOSED]), Tokens({hashed(TOKEN): "ana"}), {}, about=ABOUT)
    async with serve_http(api, "127.0.0.1", 0) as url:
        words = ["tui", "--web", "--port", str(free_port()), "--attach", f"lab={url}"]
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "petops", *words),
            env=Terminal(folder).environment | {"PETOPS_TOKEN": TOKEN, "LANG": "C.UTF-8"},
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            assert child.stdout is not None
            told = (await asyncio.wait_for(child.stdout.readline(), 30)).decode()
            address = re.search(r"http\S+", told)
            assert address is not None, told
            yield address[0]
        finally:
            child.terminate()
            await child.wait()


async def test_a_browser_with_the_key_sees_the_board(tmp_path: Path) -> None:
    jar = aiohttp.CookieJar(unsafe=True)  # which keeps cookies of addresses too
    async with served(tmp_path) as address, aiohttp.ClientSession(cookie_jar=jar) as browser:
        base = address.partition("/?")[0]
        async with browser.get(base) as refused:
            assert refused.status == 403
        async with browser.get(address) as page:
            assert page.status == 200
            assert "petops" in await page.text()
            assert "default-src 'self'" in page.headers["Content-Security-Policy"]
        with pytest.raises(aiohttp.WSServerHandshakeError) as elsewhere:
            await browser.ws_connect(f"{base}/ws", origin="http://evil.example")
        assert elsewhere.value.status == 403
        async with browser.get(base, headers={"Host": "evil.example"}) as rebound:
            assert rebound.status == 403
        drawn = b""
        url = f"{base}/ws?width=100&height=30"
        async with browser.ws_connect(url, origin=base) as terminal, asyncio.timeout(30):
            async for message in terminal:
                if message.type is WSMsgType.BINARY:
                    drawn += message.data
                if b"INC-0001" in drawn:
                    break
        assert b"needs approval" in drawn
