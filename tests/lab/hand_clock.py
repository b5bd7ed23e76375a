"""A clock that stands still until a test moves it, and small ways to ask a world."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from petops.lab.kubernetes_api import KubernetesApi
from petops.lab.kubernetes_request import ApiAnswer, ApiRequest
from petops.lab.world import World
from petops.scenarios import BEHAVIOURS, CATALOGUE

BEGAN = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
LEAK = CATALOGUE["memory-leak"]
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
PODS = "/api/v1/namespaces/default/pods"
MERGE = "application/merge-patch+json"


class HandClock:
    """`Clock` that only moves by `pass_seconds`, and by those who sleep on it."""

    def __init__(self) -> None:
        self.at = BEGAN

    def now(self) -> datetime:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class Lab:
    """A world, its clock, and questions."""

    def __init__(self, seed: int = 0, *, history: timedelta = timedelta(minutes=2)) -> None:
        self.clock = HandClock()
        self.world = World(self.clock, seed, BEHAVIOURS, history=history)

    @property
    def api(self) -> KubernetesApi:
        return self.world.api

    def pass_seconds(self, seconds: float) -> None:
        self.clock.at += timedelta(seconds=seconds)
        self.world.step()

    def ask(
        self,
        method: str,
        url: str,
        document: object = None,
        *,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> ApiAnswer:
        self.world.step()
        request = ApiRequest.of(method, url, document, content_type=content_type, headers=headers)
        return self.api.answer(request)

    def get(self, url: str) -> Any:
        answer = self.ask("GET", url)
        assert answer.status == 200, answer.json()
        return answer.json()

    def patch(self, url: str, document: object, content_type: str = MERGE) -> Any:
        answer = self.ask("PATCH", url, document, content_type=content_type)
        assert answer.status == 200, answer.json()
        return answer.json()

    def pods(self, app: str, component: str = "service") -> list[Any]:
        found = self.get(f"{PODS}?labelSelector=app={app},component={component}")
        return list(found["items"])

    def inject_leak(self) -> None:
        self.world.apply(LEAK.documents(now=self.clock.now()))

    def leaking(self) -> Any:
        (pod,) = self.pods("petadoptionshistory-py", "injector")
        return pod
