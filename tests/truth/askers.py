"""Whom the truth test asks: the lab in memory, or the cluster of a kubeconfig."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from petops.lab.kubernetes_request import ApiRequest
from tests.lab.hand_clock import Lab


@dataclass(frozen=True)
class Said:
    """An answer: JSON, or text where it was none."""

    status: int
    body: Any


class Asker(Protocol):
    """Sends one request, and lets time pass."""

    def ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Said: ...

    def wait(self, seconds: float) -> None: ...


def said(status: int, raw: bytes) -> Said:
    text = raw.decode()
    try:
        return Said(
            status, json.loads(text.splitlines()[0] if text.startswith('{"type"') else text)
        )
    except (ValueError, IndexError):
        return Said(status, text)


async def first(stream: AsyncIterator[bytes]) -> bytes:
    """The first line of a watch."""
    async for line in stream:
        return line
    return b""


class InMemory:
    """The lab, on virtual time."""

    def __init__(self) -> None:
        self._lab = Lab()

    def ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Said:
        made = ApiRequest.of(method, path, headers=headers)
        self._lab.world.step()
        request = ApiRequest(
            method=made.method, path=made.path, query=made.query, headers=made.headers, body=body
        )
        answer = self._lab.api.answer(request)
        found = answer.body
        return said(answer.status, found if isinstance(found, bytes) else asyncio.run(first(found)))

    def wait(self, seconds: float) -> None:
        self._lab.pass_seconds(seconds)


class OfKubeconfig:
    """A cluster. What the test makes there is a namespace of its own."""

    def __init__(self, kubeconfig: Path) -> None:
        from kubernetes import config  # noqa: PLC0415

        read: Any = config
        self._api = read.new_client_from_config(str(kubeconfig))

    def ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Said:
        sent = dict(headers)
        self._api.update_params_for_auth(sent, [], ["BearerToken"])
        answer = self._api.rest_client.pool_manager.request(
            method,
            self._api.configuration.host + path,
            headers=sent,
            body=body or None,
            timeout=20,
        )
        return said(answer.status, answer.data)

    def wait(self, seconds: float) -> None:
        time.sleep(seconds)
