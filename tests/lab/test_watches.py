"""Watches and lists in pages."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from tests.lab.hand_clock import DEPLOYMENTS, PODS, Lab

pytestmark = pytest.mark.slow

API = Path(__file__).parent.parent / "recordings" / "api"


async def watch(lab: Lab, query: str, url: str = PODS) -> AsyncIterator[Any]:
    body = lab.ask("GET", f"{url}?watch=1&{query}").body
    assert not isinstance(body, bytes)
    async with aclosing(body) as lines:  # type: ignore[type-var]
        async for line in lines:
            yield json.loads(line)


async def some(found: AsyncIterator[Any], number: int) -> list[Any]:
    return [await anext(found) for _ in range(number)]


async def test_a_watch_from_nowhere_begins_with_what_is_there() -> None:
    lab = Lab()
    found = watch(lab, "labelSelector=app=petsite&timeoutSeconds=5")
    first = await some(found, 2)
    assert {one["type"] for one in first} == {"ADDED"}
    assert {one["object"]["kind"] for one in first} == {"Pod"}
    await found.aclose()  # type: ignore[attr-defined]


async def test_a_watch_from_a_version_tells_what_came_after_it() -> None:
    lab = Lab()
    version = lab.get(PODS)["metadata"]["resourceVersion"]
    lab.inject_leak()
    lab.pass_seconds(1)
    found = watch(lab, f"resourceVersion={version}&timeoutSeconds=5")
    first = await some(found, 3)
    assert [one["type"] for one in first] == ["ADDED", "MODIFIED", "MODIFIED"]
    task = asyncio.ensure_future(anext(found))
    await asyncio.sleep(0)
    lab.pass_seconds(5)
    assert (await task)["type"] == "MODIFIED"
    await found.aclose()  # type: ignore[attr-defined]


async def test_a_watch_with_a_selector_tells_of_coming_and_going() -> None:
    lab = Lab()
    version = lab.get(DEPLOYMENTS)["metadata"]["resourceVersion"]
    url = f"{DEPLOYMENTS}/petsite"
    for labels in ({"team": "x"}, {"team": "x", "y": "1"}, {"team": None}):
        lab.patch(url, {"metadata": {"labels": labels}})
    found = watch(
        lab, f"resourceVersion={version}&labelSelector=team=x&timeoutSeconds=5", DEPLOYMENTS
    )
    assert [one["type"] for one in await some(found, 3)] == ["ADDED", "MODIFIED", "DELETED"]
    await found.aclose()  # type: ignore[attr-defined]


async def test_who_comes_too_late_is_told_so_as_recorded() -> None:
    lab = Lab()
    (only,) = [one async for one in watch(lab, "resourceVersion=1")]
    expected = json.loads((API / "watch-expired-resourceversion.json").read_text())["response"][
        "body"
    ]
    if isinstance(expected, str):
        expected = json.loads(expected.splitlines()[0])
    assert only["type"] == expected["type"] == "ERROR"
    assert {**only["object"], "message": ""} == {**expected["object"], "message": ""}
    assert only["object"]["message"].startswith("too old resource version: 1 (")


async def test_initial_events_end_with_a_bookmark() -> None:
    lab = Lab()
    query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    found = watch(lab, f"{query}&labelSelector=app=petsite&timeoutSeconds=5")
    last = (await some(found, 3))[-1]
    assert last["type"] == "BOOKMARK"
    assert last["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert lab.ask("GET", f"{PODS}?watch=1&sendInitialEvents=true").status == 422
    await found.aclose()  # type: ignore[attr-defined]


@pytest.mark.looptime
async def test_a_quiet_watch_sends_bookmarks_and_ends_in_time() -> None:
    lab = Lab()
    version = lab.world.store.version
    query = f"resourceVersion={version}&allowWatchBookmarks=true&timeoutSeconds=130"
    found = [one async for one in watch(lab, query)]
    assert {one["type"] for one in found} == {"BOOKMARK"}
    assert len(found) >= 2
    assert found[0]["object"]["metadata"]["resourceVersion"] == str(version)


def test_pages_are_of_one_moment() -> None:
    lab = Lab()
    everything = [pod["metadata"]["name"] for pod in lab.get(PODS)["items"]]
    first = lab.get(f"{PODS}?limit=4")
    assert first["metadata"]["remainingItemCount"] == len(everything) - 4
    lab.inject_leak()
    lab.pass_seconds(5)
    found, token = list(first["items"]), first["metadata"]["continue"]
    while token:
        page = lab.get(f"{PODS}?limit=4&continue={token}")
        assert page["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
        found += page["items"]
        token = page["metadata"].get("continue")
    assert [pod["metadata"]["name"] for pod in found] == everything
    assert "kind" not in found[0]


def test_metadata_alone_and_tables() -> None:
    lab = Lab()
    partial = lab.ask(
        "GET",
        PODS,
        headers={"Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"},
    )
    assert partial.json()["kind"] == "PartialObjectMetadataList"
    assert set(partial.json()["items"][0]) == {"kind", "apiVersion", "metadata"}
    table = lab.ask(
        "GET", DEPLOYMENTS, headers={"Accept": "application/json;as=Table;g=meta.k8s.io;v=v1"}
    )
    rows = {row["cells"][0]: row["cells"] for row in table.json()["rows"]}
    assert rows["petsite"][1:4] == ["2/2", 2, 2]
