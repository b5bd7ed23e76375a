"""Half of the answers missing, late, strange or gone meanwhile: right or less sure, never wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from petops.domain.diagnosis import Diagnosis
from petops.errors import NotThereError, SourceError
from petops.ports import ApiAnswer
from tests.adapters.fake_kubernetes_api import FakeApi, status
from tests.request_shop import FRONT, PAY, SEARCH, TABLE, Counters, Shop, Wrong

pytestmark = pytest.mark.slow

THROTTLED = Wrong(seconds={PAY: 0.4}, throttled={PAY: 0.9})
FOLDERS = (
    *("pods", "services", "events", "nodes", "resourcequotas"),
    *("deployments", "replicasets", "endpointslices", "horizontalpodautoscalers"),
)


def is_right_or_less_sure(found: Diagnosis, full: Diagnosis, shop: Shop) -> None:
    assert found.because
    assert full.cause is not None
    if found.cause is not None:
        assert found.cause.mode in {"cpu-throttling", "slow-dependency"}
        assert found.cause.confidence <= full.cause.confidence
        if found.cause.subject != shop.subject(PAY):  # where that runs could not be found out
            assert found.cause.mode == "slow-dependency"
            assert f"waits for {PAY}" in found.cause.because


def forbidding(shop: Shop, *folders: str) -> FakeApi:
    api = shop.api()
    for folder in folders:
        for path in [one for one in api.objects if one.endswith(f"/{folder}")]:
            api.objects[path] = {}
            api.answers["GET", path] = status(403, f"cannot list {folder}")
        api.answers["GET", f"/api/v1/{folder}"] = status(403, f"cannot list {folder}")
    return api


@pytest.mark.slow
@pytest.mark.parametrize("about", [FRONT, PAY])
@pytest.mark.parametrize("folder", FOLDERS)
async def test_what_rbac_forbids_is_a_gap(folder: str, about: str) -> None:
    shop = Shop(wrong=THROTTLED)
    full = await shop.diagnosed(about)
    found = await shop.diagnosed(about, api=forbidding(shop, folder))
    is_right_or_less_sure(found, full, shop)
    if folder == "pods":
        assert found.cause is None
        assert found.blind


@pytest.mark.parametrize("folders", [FOLDERS[1:5], FOLDERS[5:]])
async def test_half_of_the_cluster_may_be_forbidden(folders: tuple[str, ...]) -> None:
    shop = Shop(wrong=THROTTLED)
    full = await shop.diagnosed(PAY)
    is_right_or_less_sure(await shop.diagnosed(PAY, api=forbidding(shop, *folders)), full, shop)


@pytest.mark.parametrize("late_by", [-90.0, -20.0, 20.0, 90.0])
async def test_clocks_that_differ_a_little_change_no_verdict(late_by: float) -> None:
    shop = Shop(wrong=THROTTLED)
    full = await shop.diagnosed(PAY)
    found = await shop.diagnosed(PAY, metrics=Counters(shop, late_by=late_by))
    assert found.cause is not None, found.because
    is_right_or_less_sure(found, full, shop)


class Vanishing(FakeApi):
    """The pods are there when they are listed first, and gone afterwards."""

    def __init__(self, shop: Shop) -> None:
        super().__init__()
        self.objects = shop.api().objects
        self.lists = 0

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str | None = None,
    ) -> ApiAnswer:
        if path.endswith("/pods"):
            self.lists += 1
            if self.lists > 1:
                return ApiAnswer(status=200, body={"items": [], "metadata": {}})
        return await super().request(
            method, path, query=query, body=body, content_type=content_type
        )


@pytest.mark.parametrize("about", [FRONT, PAY])
async def test_pods_that_vanish_in_the_middle(about: str) -> None:
    shop = Shop(wrong=THROTTLED)
    full = await shop.diagnosed(about)
    found = await shop.diagnosed(about, api=Vanishing(shop))
    is_right_or_less_sure(found, full, shop)


async def test_names_as_long_as_kubernetes_admits_them() -> None:
    names = {one: (f"{one}-" + "x" * 63)[:52] for one in (FRONT, SEARCH, PAY)}
    names[TABLE] = "t" * 200
    shop = Shop(wrong=THROTTLED, names=names)
    found = await shop.diagnosed(FRONT)
    assert found.cause is not None
    assert (found.cause.mode, found.cause.subject) == ("cpu-throttling", shop.subject(PAY))


async def test_fields_of_newer_versions_are_passed_over() -> None:
    shop = Shop(wrong=THROTTLED)
    api = shop.api()
    for folder in api.objects.values():
        for one in folder.values():
            one |= {"spec": {**one.get("spec", {}), "resizePolicyV9": {"x": [1]}}, "extra": None}
            one["status"] = {**one.get("status", {}), "novelty": {"phase": 7}}
            one["metadata"]["managedFieldsV2"] = [{"a": "b"}]
    found = await shop.diagnosed(FRONT, api=api)
    assert found.cause is not None
    assert found.cause.mode == "cpu-throttling"


async def test_a_source_that_answers_in_time_and_one_that_never_does() -> None:
    shop = Shop(wrong=THROTTLED)

    class Moody(Counters):
        async def read(self, signal: Any, scope: Any, window: Any) -> Any:
            self.reads += 1
            if self.reads % 3 == 0:
                raise SourceError("too many requests")
            if self.reads % 5 == 0:
                raise NotThereError("no such series")
            return await super().read(signal, scope, window)

    full = await shop.diagnosed(PAY)
    is_right_or_less_sure(await shop.diagnosed(PAY, metrics=Moody(shop)), full, shop)
