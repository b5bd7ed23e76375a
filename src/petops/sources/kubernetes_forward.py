"""A way to a Service in the cluster through its API server: no ingress, the user's own rights.

Listens on the loopback; each connection is carried to a ready pod of the Service in a WebSocket of
its own, as `kubectl port-forward` and the Python client's `portforward` do it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from petops.errors import ForbiddenError, NotThereError, PetopsError, SourceError
from petops.sources.kubernetes_calls import AioCalls
from petops.sources.kubernetes_shapes import condition, selector_text

if TYPE_CHECKING:
    import aiohttp

Json = Any

_CHANNELS: Final = "v4.channel.k8s.io"
_DATA, _ERROR = 0, 1
_PIECE: Final = 32_768
_CONNECT_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """One pod's port."""

    pod: str
    port: int


@asynccontextmanager
async def forwarded(calls: AioCalls, namespace: str, service: str) -> AsyncIterator[str]:
    """Listen for as long as the block lasts; it gets the base URL of the Service's first port.

    Raise SourceError where the Service is not there, has no ready pod, or may not be reached.
    """
    import aiohttp  # noqa: PLC0415 - comes with the client, and costs as much

    async with aiohttp.ClientSession() as session:

        async def opened(way: _Way) -> aiohttp.ClientWebSocketResponse:
            path = f"/api/v1/namespaces/{namespace}/pods/{way.pod}/portforward"
            url, headers, ssl = await calls.websocket(path, {"ports": str(way.port)})
            return await session.ws_connect(
                url,
                headers=headers,
                protocols=(_CHANNELS,),
                proxy=calls.proxy,
                ssl=ssl,
                max_msg_size=0,
                timeout=aiohttp.ClientWSTimeout(ws_close=2.0),
            )

        way = await _way(calls, namespace, service)
        await _tried(lambda: opened(way), way)

        async def connected() -> aiohttp.ClientWebSocketResponse:
            """Open a connection; to another pod where that one is gone, with credentials anew."""
            nonlocal way
            try:
                return await opened(way)
            except (aiohttp.ClientError, OSError):
                way = await _way(calls, namespace, service)
                return await opened(way)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(aiohttp.ClientError, OSError, TimeoutError, PetopsError):
                async with asyncio.timeout(_CONNECT_SECONDS):
                    socket = await connected()
                async with socket:
                    await _carried(socket, reader, writer)
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()


async def _tried(opened: Any, way: _Way) -> None:
    """Open one connection, so that a missing right is told before anybody waits for an answer."""
    import aiohttp  # noqa: PLC0415

    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            async with await opened():
                pass
    except aiohttp.WSServerHandshakeError as exc:
        if exc.status == 403:
            raise ForbiddenError(
                f"Kubernetes forbids a port-forward to pod {way.pod}",
                hint="the role needs create on pods/portforward in that namespace",
            ) from exc
        raise SourceError(f"Kubernetes answered {exc.status} to a port-forward") from exc
    except (aiohttp.ClientError, OSError, TimeoutError) as exc:
        why = str(exc) or type(exc).__name__
        raise SourceError(f"no port-forward to pod {way.pod}: {why}") from exc


async def _carried(
    socket: aiohttp.ClientWebSocketResponse,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    """Carry bytes both ways until either end has closed."""

    async def out() -> None:
        while piece := await reader.read(_PIECE):
            await socket.send_bytes(bytes([_DATA]) + piece)

    async def back() -> None:
        begun: set[int] = set()
        async for message in socket:
            if not isinstance(message.data, bytes) or not message.data:
                continue
            channel, piece = message.data[0], message.data[1:]
            if channel not in begun:  # each channel begins with its port's number
                begun.add(channel)
                piece = piece[2:]
            if channel == _ERROR and piece:
                return
            if channel == _DATA and piece:
                writer.write(piece)
                await writer.drain()

    async with asyncio.TaskGroup() as group:
        tasks = {group.create_task(out()), group.create_task(back())}
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()


async def _way(calls: AioCalls, namespace: str, service: str) -> _Way:
    """Return a ready pod of the Service, and the port on which it serves."""
    path = f"/api/v1/namespaces/{namespace}/services/{service}"
    found = await _read(calls, path, {}, f"Service {namespace}/{service}")
    spec = found.get("spec") or {}
    ports = spec.get("ports") or ()
    if not spec.get("selector") or not ports:
        raise SourceError(f"Service {namespace}/{service} selects no pods")
    wanted = {"labelSelector": selector_text({"matchLabels": spec["selector"]})}
    listed = await _read(calls, f"/api/v1/namespaces/{namespace}/pods", wanted, "its pods")
    for pod in listed.get("items") or ():
        if condition(pod, "Ready") == "True" and not pod["metadata"].get("deletionTimestamp"):
            target = ports[0].get("targetPort") or ports[0]["port"]
            return _Way(pod=pod["metadata"]["name"], port=_number(pod, target))
    raise NotThereError(
        f"Service {namespace}/{service} has no ready pod", hint=f"kubectl get pods -n {namespace}"
    )


async def _read(calls: AioCalls, path: str, query: Mapping[str, str], what: str) -> Json:
    answer = await calls.request("GET", path, query=query)
    failure = answer.failure(what)
    if failure is not None:
        raise failure
    if not isinstance(answer.body, Mapping):
        raise SourceError(f"what answers for Kubernetes at {path} is no API server")
    return answer.body


def _number(pod: Json, target: Json) -> int:
    """Return a port by its number or its name."""
    if isinstance(target, int):
        return target
    for container in pod["spec"].get("containers") or ():
        for port in container.get("ports") or ():
            if port.get("name") == target:
                return int(port["containerPort"])
    raise SourceError(f"pod {pod['metadata']['name']} has no port {target}")
