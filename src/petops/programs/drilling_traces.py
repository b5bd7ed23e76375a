"""X-Ray's client for a world in memory: what boto3 would call, without a socket in between."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, Final

from petops.lab.aws_requests import Given
from petops.lab.world import World
from petops.lab.xray_api import XRay

_INVALID: Final = "InvalidRequestException"
_SECONDS: Final = 10.0


class WorldXRay:
    """The three calls that petops makes, as methods of a client; called from other threads."""

    def __init__(self, world: World) -> None:
        self._xray = XRay(world)
        self._loop = asyncio.get_running_loop()

    def get_trace_summaries(self, **parameters: Any) -> Mapping[str, Any]:
        """Answer GetTraceSummaries."""
        return self._answered(self._xray.summaries, parameters)

    def batch_get_traces(self, **parameters: Any) -> Mapping[str, Any]:
        """Answer BatchGetTraces."""
        return self._answered(self._xray.traces, parameters)

    def get_service_graph(self, **parameters: Any) -> Mapping[str, Any]:
        """Answer GetServiceGraph."""
        return self._answered(self._xray.graph, parameters)

    def _answered(
        self, answer: Callable[[Given], Awaitable[Mapping[str, Any]]], parameters: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Answer on the world's own loop: it is not made for threads."""
        plain = {
            key: value.timestamp() if isinstance(value, datetime) else value
            for key, value in parameters.items()
        }

        async def answered() -> Mapping[str, Any]:
            return await answer(Given(plain, _INVALID))

        return asyncio.run_coroutine_threadsafe(answered(), self._loop).result(_SECONDS)
