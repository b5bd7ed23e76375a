"""History, scraping and recorded cases, in a Prometheus that really runs."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from petops.errors import PetopsError, SourceError
from petops.lab.children import listening_socket, start_mark
from petops.lab.prometheus import Prometheus, find_prometheus, running_prometheus
from petops.lab.recorded_metrics import load_recorded, recorded_samples
from petops.lab.remote_write import push
from petops.lab.scraped import exporters, history
from tests.lab.figures import NODE, Figures

pytestmark = pytest.mark.slow

RECORDINGS = Path(__file__).parents[1] / "recordings"


async def value(prometheus: Prometheus, promql: str) -> float:
    result: list[dict[str, Any]] = await prometheus.query(promql)
    return float(result[0]["value"][1]) if result else 0.0


async def answered(prometheus: Prometheus, promql: str) -> bool:
    try:
        await prometheus.query(promql)
    except SourceError:
        return False
    return True


async def test_a_recorded_case_can_be_asked_with_the_times_of_its_recording(tmp_path: Path) -> None:
    case = tmp_path / "case"
    (case / "prometheus").mkdir(parents=True)
    for name in ("nodes.json", "prometheus/memory_working_set.range.json"):
        shutil.copy(RECORDINGS / "oomkill" / name, case / name)
    async with running_prometheus([], tmp_path / "prometheus") as prometheus:
        assert await load_recorded(case, prometheus.url) == len([*recorded_samples(case)])
        series = 'container_memory_working_set_bytes{pod=~"orders-api-86646998c7-.*"}'
        assert await value(prometheus, f"count(count_over_time({series}[10m] @ 1795409996))") == 12


async def test_a_prometheus_that_dies_is_started_again_with_its_data(tmp_path: Path) -> None:
    told: list[str] = []
    world = Figures(now=datetime.now(UTC))
    async with running_prometheus([], tmp_path, on_restart=told.append) as prometheus:
        await push(await history(world, exporters([NODE]), world.now), prometheus.url)
        before = await value(prometheus, "sum(count_over_time(up[61m]))")
        os.kill(prometheus.process.pid, signal.SIGKILL)
        async with asyncio.timeout(20):
            while not await answered(prometheus, "up"):  # noqa: ASYNC110 - it cannot tell
                await asyncio.sleep(0.05)
        assert await value(prometheus, "sum(count_over_time(up[61m]))") == before > 0
        last = prometheus.process.pid
    assert told == ["Prometheus ended with status -9 and was started again"]
    assert start_mark(last) is None


async def test_a_prometheus_that_cannot_start_says_why(tmp_path: Path) -> None:
    with listening_socket() as taken:
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PetopsError, match=r"did not start.*address already in use"):
            async with running_prometheus([], tmp_path, port=port):
                pytest.fail("it cannot run")


async def test_an_error_in_the_block_comes_out_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        async with running_prometheus([], tmp_path):
            raise KeyError("mine")


def test_the_program_is_found_on_path_or_beside_python(tmp_path: Path) -> None:
    assert find_prometheus().name == "prometheus"
    assert find_prometheus(path="") == Path(sys.executable).with_name("prometheus")
    with pytest.raises(PetopsError, match="no prometheus program") as missing:
        find_prometheus(path="", python=str(tmp_path / "python"))
    assert missing.value.hint == "make setup"
