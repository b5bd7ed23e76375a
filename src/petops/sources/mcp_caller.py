"""Keeps one connection to an MCP server, and calls its tools over it.

Rule: the connection lives in a task of its own. When an HTTP server dies, the SDK cancels the task
that opened the connection (python-sdk #3560); that must never be a caller's.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import anyio
import httpx2
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.server.mcpserver import MCPServer
from mcp_types import CONNECTION_CLOSED, CallToolResult

from petops.errors import SourceError, UsageError
from petops.sources.mcp_answers import content, normalised, tool_names
from petops.sources.mcp_child import LastWords, child_streams

STARTUP_SECONDS = 15.0
CLOSE_SECONDS = 1.5  # longer than a child is given to end
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 5.0
SOUND_SECONDS = 5.0  # a connection that held this long starts the pauses anew
MOST_EVENT_BYTES = 64 * 1024**2

# What a connection can end with: anything else is a bug, and is left to crash.
_LOST = (
    OSError,
    TimeoutError,
    MCPError,
    httpx2.HTTPError,
    anyio.ClosedResourceError,
    anyio.BrokenResourceError,
    anyio.EndOfStream,
    ValueError,  # pydantic's: the server speaks something else
    RuntimeError,  # the SDK's: an answer against the tool's own schema
)

_logger = logging.getLogger(__name__)
_chance = random.SystemRandom()


@dataclass(frozen=True, slots=True, kw_only=True)
class McpUrl:
    """An MCP server at an address, with the bearer token that it wants."""

    url: str
    token: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise UsageError(f"{self.url!r} is no http(s) address of an MCP server")


Target = MCPServer[Any] | StdioServerParameters | McpUrl | str


@dataclass(slots=True)
class _Connection:
    """One life of the connection. `why` says what is known of its end."""

    lost: asyncio.Event = field(default_factory=asyncio.Event)
    words: LastWords = field(default_factory=LastWords)
    status: str = ""
    client: Client | None = None
    tools: Mapping[str, str] = field(default_factory=dict)
    calls: set[asyncio.Task[CallToolResult | BaseException]] = field(default_factory=set)


class McpCaller:
    """Calls tools of one MCP server, many at once, as long as the `async with` block lasts.

    Entering never fails and never waits: a server that is down is told by `call`, while the
    connection is tried again with growing pauses.
    """

    def __init__(self, target: Target, *, startup_seconds: float = STARTUP_SECONDS) -> None:
        self._target = McpUrl(url=target) if isinstance(target, str) else target
        self._startup_seconds = startup_seconds
        self._connection: _Connection | None = None
        self._why = "it has not answered yet"
        self._settled = asyncio.Event()  # an attempt has ended: there is a connection, or a reason
        self._tasks = asyncio.TaskGroup()
        self._keeper: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        """The server, for people to read."""
        match self._target:
            case McpUrl(url=url):
                return f"the MCP server at {url}"
            case StdioServerParameters(command=command):
                return f"the MCP server {command!r}"
            case _:
                return "the MCP server"

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        self._keeper = self._tasks.create_task(self._keep())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        keeper, self._connection, self._why = self._keeper, None, "it was closed"
        self._settled.set()
        while keeper is not None and not keeper.done():
            # Again and again: what a connection waits for on its way out ends with each.
            keeper.cancel()
            await asyncio.wait({keeper}, timeout=CLOSE_SECONDS)
        if isinstance(exc, asyncio.CancelledError):
            await self._tasks.__aexit__(kind, exc, traceback)
        else:  # or the group would wrap the error of our caller's own block
            await self._tasks.__aexit__(None, None, None)

    async def call(
        self, tool: str, arguments: Mapping[str, Any], timeout_seconds: float
    ) -> Mapping[str, Any]:
        """Return a tool's structured answer; raise SourceError if it refused or cannot be had."""
        try:
            async with asyncio.timeout(timeout_seconds):
                connection = await self._connected()
                assert connection.client is not None  # noqa: S101 - so it is once connected
                name = connection.tools.get(normalised(tool))
                if name is None:
                    raise SourceError(f"{self.name} has no tool {tool}")
                work = connection.client.call_tool(name, dict(arguments))
                return content(tool, await self._result(connection, work))
        except TimeoutError as exc:
            if not self._settled.is_set():
                raise SourceError(f"{self.name} is not there: {self._why}") from exc
            raise SourceError(
                f"{self.name} did not answer {tool} within {timeout_seconds:g} s"
            ) from exc

    async def has(self, tool: str, timeout_seconds: float = STARTUP_SECONDS) -> bool:
        """Say whether the server has a tool; raise SourceError if it cannot be asked."""
        return normalised(tool) in map(normalised, await self.tools(timeout_seconds))

    async def tools(self, timeout_seconds: float) -> tuple[str, ...]:
        """Return the names of the server's tools; raise SourceError if it is not there."""
        try:
            async with asyncio.timeout(timeout_seconds):
                return tuple((await self._connected()).tools.values())
        except TimeoutError as exc:
            raise SourceError(f"{self.name} is not there: {self._why}") from exc

    async def _connected(self) -> _Connection:
        await self._settled.wait()
        connection = self._connection
        if connection is None or connection.client is None:
            raise SourceError(f"{self.name} is not there: {self._why}")
        return connection

    async def _result(
        self, connection: _Connection, work: Coroutine[Any, Any, CallToolResult]
    ) -> CallToolResult:
        """Await a call in a task of its own: the SDK can neither cancel nor hold up the caller."""
        task = self._tasks.create_task(_caught(work))
        connection.calls.add(task)
        try:
            await asyncio.wait({task})
        finally:
            connection.calls.discard(task)
            task.cancel()  # the server stops the work, where we no longer wait
        if task.cancelled():
            self._lose(connection)
            raise SourceError(f"{self.name} went away during the call")
        result = task.result()
        if isinstance(result, CallToolResult):
            return result
        if not isinstance(result, MCPError) or _ends_session(result):
            self._lose(connection)
        why = _with_words(_sentence(result), connection)
        raise SourceError(f"{self.name} failed: {why}") from result

    def _lose(self, connection: _Connection) -> None:
        """Have the keeper replace a connection; calls wait for the new one."""
        if not connection.lost.is_set():
            connection.lost.set()
        if self._connection is connection:
            self._connection = None
            self._settled.clear()

    async def _keep(self) -> None:
        """Connect, hold until the connection is lost, pause, and again."""
        loop, failures = asyncio.get_running_loop(), 0
        while True:
            began = loop.time()
            connection = _Connection()
            try:
                await self._hold(connection)
                self._why = _with_words("the connection ended", connection)
            except* _LOST as group:
                self._why = _with_words(_sentence(_first(group)), connection)
            finally:
                self._connection = None
                for task in connection.calls:
                    task.cancel()
            failures = 0 if loop.time() - began > SOUND_SECONDS else failures + 1
            _logger.info("%s: %s", self.name, self._why)
            self._settled.set()
            longest = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2**failures)
            await asyncio.sleep(_chance.uniform(longest / 2, longest))
            self._settled.clear()

    async def _hold(self, connection: _Connection) -> None:
        """Open the connection and keep it until it is lost."""
        async with AsyncExitStack() as stack:
            async with asyncio.timeout(self._startup_seconds):
                client = await stack.enter_async_context(self._client(connection))
                connection.tools = tool_names(await _listed(client))
            connection.client = client
            self._connection = connection
            self._settled.set()
            await connection.lost.wait()

    @asynccontextmanager
    async def _client(self, connection: _Connection) -> AsyncIterator[Client]:
        """Open a client of the target."""
        match self._target:
            case StdioServerParameters() as parameters:

                def ended() -> None:
                    self._lose(connection)

                async with Client(child_streams(parameters, connection.words, ended)) as client:
                    yield client
            case McpUrl() as address:
                async with (
                    _http_client(address, connection) as http,
                    Client(
                        streamable_http_client(
                            address.url, http_client=http, max_sse_event_size=MOST_EVENT_BYTES
                        )
                    ) as client,
                ):
                    yield client
            case server:
                async with Client(server) as client:
                    yield client


async def _caught(work: Coroutine[Any, Any, CallToolResult]) -> CallToolResult | BaseException:
    """Return the failure of a call instead of raising it, which would end the task group."""
    try:
        return await work
    except* _LOST as group:
        failure = _first(group)
    return failure


async def _listed(client: Client) -> list[str]:
    """Return the names of all tools, page by page."""
    names: list[str] = []
    cursor: str | None = None
    while True:
        page = await client.list_tools(cursor=cursor)
        names += [tool.name for tool in page.tools]
        cursor = page.next_cursor
        if not cursor:
            return names


def _http_client(address: McpUrl, connection: _Connection) -> httpx2.AsyncClient:
    """Return an HTTP client that keeps the last refusal: the SDK's error names no status."""

    async def note(response: httpx2.Response) -> None:
        status = f"{response.status_code} {response.reason_phrase}"
        connection.status = status if response.is_error else ""

    headers = {"Authorization": f"Bearer {address.token}"} if address.token else {}
    timeout = httpx2.Timeout(10.0, read=300.0)
    return httpx2.AsyncClient(headers=headers, timeout=timeout, event_hooks={"response": [note]})


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first single exception of a group."""
    one: BaseException = group
    while isinstance(one, BaseExceptionGroup):
        one = one.exceptions[0]
    return one


def _ends_session(error: MCPError) -> bool:
    return error.code == CONNECTION_CLOSED or error.message == "Session terminated"


def _sentence(exc: BaseException) -> str:
    """Return an exception as words; some have none."""
    if isinstance(exc, TimeoutError):
        return "it did not answer in time"
    if isinstance(exc, OSError) and exc.strerror:
        return exc.strerror.lower()
    words = str(exc).strip()
    return words.splitlines()[0] if words else type(exc).__name__


def _with_words(why: str, connection: _Connection) -> str:
    """Add what the server said last: an HTTP status, or a child's last line on stderr."""
    said = connection.status or str(connection.words)
    return f"{why} ({said})" if said else why
