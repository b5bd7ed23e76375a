"""A headless Chromium, driven by the DevTools protocol: as much of it as the tests need."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import pytest

ROOT = Path(__file__).parents[1]
KEPT = (ROOT / ".venv" / "bin" / "chromium", ROOT / ".tools" / "chromium" / "chromium")
SECONDS = 20.0
WHY_NOT = "no Chromium is installed, and none can be had here (scripts/chromium.sh)"


def binary() -> str:
    """Return the program, or skip the test that needs it."""
    found = next((str(one) for one in KEPT if one.exists()), "") or shutil.which("chromium")
    if not found:
        pytest.skip(WHY_NOT)
    return found


class Page:
    """One page. Every wait is bounded."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._ids = count(1)
        self.errors: list[str] = []

    async def send(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._ids)
        await self._socket.send_json({"id": number, "method": method, "params": params})
        async with asyncio.timeout(SECONDS):
            while True:
                found = json.loads((await self._socket.receive()).data)
                if found.get("method") == "Runtime.exceptionThrown":
                    self.errors.append(str(found["params"]["exceptionDetails"])[:500])
                if found.get("id") == number:
                    assert "error" not in found, found["error"]
                    return dict(found["result"])

    async def run(self, script: str) -> Any:
        """Return what a script gives."""
        found = await self.send(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    async def until(self, script: str, seconds: float = SECONDS) -> Any:
        """Return what a script gives as soon as that is something."""
        async with asyncio.timeout(seconds):
            while not (found := await self.run(script)):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        return found

    async def open(self, url: str) -> None:
        await self.send("Page.enable")
        await self.send("Runtime.enable")
        await self.send("Page.navigate", url=url)
        await self.until("document.readyState === 'complete' && Boolean(window.EventSource)")

    async def click(self, selector: str) -> None:
        """Click with the mouse where an element is, as a person would."""
        where = await self.until(
            f"""(() => {{
                const one = document.querySelector({json.dumps(selector)});
                if (!one) return null;
                one.scrollIntoView({{block: 'center'}});
                const box = one.getBoundingClientRect();
                return box.width ? [box.x + box.width / 2, box.y + box.height / 2] : null;
            }})()"""
        )
        x, y = where
        for kind in ("mousePressed", "mouseReleased"):
            await self.send(
                "Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1
            )

    async def click_until(self, selector: str, script: str) -> Any:
        """Click until it shows: a card that is drawn anew in the middle of a click misses it."""
        for _ in range(4):
            await self.click(selector)
            with suppress(TimeoutError):
                return await self.until(script, SECONDS / 4)
        return await self.until(script)

    async def type(self, selector: str, text: str) -> None:
        await self.click(selector)
        await self.send("Input.insertText", text=text)

    async def choose(self, selector: str, value: str) -> None:
        """Choose in a menu, which the browser draws itself."""
        await self.until(f"Boolean(document.querySelector({json.dumps(selector)}))")
        await self.run(
            f"""(() => {{
                const one = document.querySelector({json.dumps(selector)});
                one.value = {json.dumps(value)};
                one.dispatchEvent(new Event('change'));
            }})()"""
        )

    async def picture(self) -> bytes:
        found = await self.send("Page.captureScreenshot", format="png")
        return base64.b64decode(found["data"])


@asynccontextmanager
async def browsing(
    url: str, *, width: int = 1280, height: int = 900, program: str = ""
) -> AsyncIterator[Page]:
    """Open a page in a browser of its own, for as long as the block lasts."""
    folder = Path(tempfile.mkdtemp(prefix="petops-chromium-"))
    process = await asyncio.create_subprocess_exec(
        *(program or binary(), "--headless", "--no-sandbox", "--disable-gpu"),
        *("--remote-debugging-port=0", f"--user-data-dir={folder}", "--hide-scrollbars"),
        *(f"--window-size={width},{height}", "--disable-dev-shm-usage", "about:blank"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, "TMPDIR": str(folder)},  # Chromium leaves a folder of its own there
    )
    try:
        port = await _port(folder, process)
        async with aiohttp.ClientSession() as client:
            async with client.get(f"http://127.0.0.1:{port}/json/list") as answer:
                pages = [one for one in await answer.json() if one["type"] == "page"]
            async with client.ws_connect(
                pages[0]["webSocketDebuggerUrl"], max_msg_size=64 * 1024 * 1024
            ) as socket:
                page = Page(socket)
                await page.open(url)
                yield page
                assert page.errors == []
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(5):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        shutil.rmtree(folder, ignore_errors=True)


async def _port(folder: Path, process: asyncio.subprocess.Process) -> int:
    told = folder / "DevToolsActivePort"
    async with asyncio.timeout(SECONDS):
        while True:
            assert process.returncode is None, "Chromium ended"
            if told.exists() and (text := told.read_text()):
                return int(text.splitlines()[0])
            await asyncio.sleep(0.05)
