"""A real Prometheus for the lab: found, configured, started, watched over and ended."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx2

from petops.errors import PetopsError, SourceError
from petops.lab.children import LOOPBACK, free_port
from petops.lab.exposition import Labels
from petops.lab.supervision import Kept, Program, kept_running

SCRAPE_SECONDS: Final = 1
OUT_OF_ORDER_WINDOW: Final = "3h"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScrapeTarget:
    """One address that Prometheus scrapes, and the labels that it adds (`instance` always)."""

    job: str
    address: str
    path: str
    labels: Labels

    @property
    def series_labels(self) -> Labels:
        """What a scrape adds to each of the target's series."""
        return (*self.labels, ("job", self.job))


@dataclass(frozen=True, slots=True, kw_only=True)
class Prometheus:
    """A running Prometheus. It keeps its address and its data when it has to be started again."""

    url: str
    process: Kept
    _client: httpx2.AsyncClient = field(repr=False)

    async def query(self, promql: str) -> list[dict[str, Any]]:
        """Return the result of an instant query."""
        try:
            answer = await self._client.get("/api/v1/query", params={"query": promql})
        except httpx2.HTTPError as exc:
            raise SourceError(f"Prometheus did not answer: {exc!r}") from exc
        if answer.is_error:
            raise SourceError(f"Prometheus refused {promql!r}: {answer.text[:300]}")
        result: list[dict[str, Any]] = answer.json()["data"]["result"]
        return result


def find_prometheus(path: str | None = None, python: str = sys.executable) -> Path:
    """Return the `prometheus` program: from PATH, else from beside our Python."""
    beside_python = str(Path(python).parent)
    found = shutil.which("prometheus", path=path) or shutil.which("prometheus", path=beside_python)
    if found is None:
        raise PetopsError("there is no prometheus program on PATH", hint="make setup")
    return Path(found)


def configuration(targets: Sequence[ScrapeTarget], seconds: int = SCRAPE_SECONDS) -> str:
    """Return the configuration as JSON, which is YAML too."""
    every = f"{seconds}s"
    jobs: dict[str, list[dict[str, Any]]] = {}
    for target in targets:
        labels = {**dict(target.labels), "__metrics_path__": target.path}
        jobs.setdefault(target.job, []).append({"targets": [target.address], "labels": labels})
    return json.dumps(
        {
            "global": {"scrape_interval": every, "scrape_timeout": every},
            "storage": {"tsdb": {"out_of_order_time_window": OUT_OF_ORDER_WINDOW}},
            "scrape_configs": [
                {"job_name": job, "honor_labels": True, "static_configs": listed}
                for job, listed in jobs.items()
            ],
        },
        indent=2,
    )


def _written(text: str, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "prometheus.yml"
    path.write_text(text, encoding="utf-8")
    return path


@asynccontextmanager
async def running_prometheus(
    targets: Sequence[ScrapeTarget],
    folder: Path,
    port: int | None = None,
    on_restart: Callable[[str], None] = lambda _: None,
    *,
    scrape_seconds: int = SCRAPE_SECONDS,
) -> AsyncIterator[Prometheus]:
    """Run Prometheus for as long as the block lasts, ready from its first line on.

    If it dies it is started again, with the same address and data, and `on_restart` is told why.
    """
    written = _written(configuration(targets, scrape_seconds), folder)
    port = port or free_port()
    url = f"http://{LOOPBACK}:{port}"
    command = [
        str(find_prometheus()),
        f"--config.file={written}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={LOOPBACK}:{port}",
        "--web.enable-remote-write-receiver",
        "--log.level=warn",
    ]
    async with httpx2.AsyncClient(base_url=url, timeout=10, trust_env=False) as client:
        program = Program(
            name="Prometheus",
            command=command,
            log=folder / "prometheus.log",
            made_ready=lambda: _is_ready(client),
            port=port,
        )
        async with kept_running(program, on_restart) as process:
            yield Prometheus(url=url, process=process, _client=client)


async def _is_ready(client: httpx2.AsyncClient) -> bool:
    """Say whether it answers and has read its log."""
    try:
        return (await client.get("/-/ready", timeout=1)).is_success
    except httpx2.HTTPError:
        return False
