"""Lets a bounded number of calls through to Prometheus, and tells errors as a tool's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import CallToolResult, TextContent
from pydantic_core import to_json

from petops.errors import SourceError
from petops.mcp_server.answers import Limits


class Gate:
    """Lets a limited number of queries through at once; who waits too long hears why."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._places = asyncio.Semaphore(limits.concurrent_queries)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Hold a place for the block; tell what goes wrong in it as the tool's own error."""
        try:
            async with asyncio.timeout(self._limits.queue_seconds):
                await self._places.acquire()
        except TimeoutError:
            raise ToolError(
                f"{self._limits.concurrent_queries} queries are under way and none has ended "
                f"within {self._limits.queue_seconds:g} s; try again"
            ) from None
        try:
            yield
        except SourceError as exc:
            raise ToolError(f"{exc.message} ({exc.hint})" if exc.hint else exc.message) from exc
        finally:
            self._places.release()


def told(answer: Mapping[str, Any], text: str | None = None) -> CallToolResult:
    """Return an answer as structure, and as text for clients that read nothing else."""
    if text is None:
        text = to_json(answer).decode()
    return CallToolResult(
        content=[TextContent(type="text", text=text)], structured_content=dict(answer)
    )
