"""`--attach kubernetes`: to the daemon behind a Service, through the API server alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from petops.config import ClusterSettings, DaemonSettings, Settings
from petops.daemon.server import Tokens, hashed, serve_http, server
from petops.domain.requests import ReportAlarm
from petops.errors import NotThereError, PetopsError, SourceError
from petops.lab.pod_ports import PORTS_ANNOTATION
from petops.programs.attach import found_engine
from tests.lab.kubectl import served
from tests.surfaces.small_engine import SmallEngine, alarm

pytestmark = pytest.mark.slow
TOKEN = "a-token-of-this-test"  # noqa: S105
KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: lab
contexts: [{{name: lab, context: {{cluster: lab, user: me}}}}]
clusters: [{{name: lab, cluster: {{server: "{url}"}}}}]
users: [{{name: me, user: {{}}}}]
"""


@asynccontextmanager
async def cluster(folder: Path, token: str) -> AsyncIterator[tuple[Settings, SmallEngine]]:
    """A lab in which the pods of Service default/petsite are the daemon's, and a kubeconfig."""
    engine = SmallEngine()
    app = server(engine, Tokens({hashed(TOKEN): "ana"}), {})
    async with served() as url, serve_http(app, "127.0.0.1", 0) as behind:
        async with httpx2.AsyncClient(base_url=url) as client:
            port = behind.rpartition(":")[2]
            notes = {PORTS_ANNOTATION: f"8080={port}"}
            patched = await client.patch(
                "/apis/apps/v1/namespaces/default/deployments/petsite",
                json={"metadata": {"annotations": notes}},
                headers={"Content-Type": "application/merge-patch+json"},
            )
            assert patched.is_success
        file = folder / "kubeconfig"
        file.write_text(KUBECONFIG.format(url=url), encoding="ascii")
        yield (
            Settings(
                cluster=ClusterSettings(kubeconfig=str(file)),
                daemon=DaemonSettings(attach="kubernetes:default/petsite", token=token),
            ),
            engine,
        )


async def test_the_daemon_is_reached_through_the_api_server(tmp_path: Path) -> None:
    async with (
        cluster(tmp_path, TOKEN) as (settings, engine),
        asyncio.timeout(20),
        found_engine(settings, None) as remote,
    ):
        entry = await remote.submit(ReportAlarm(id="r", alarm=alarm(text="x" * 100_000)))
        assert (await remote.board()).incidents.keys() == {entry.incident}
        assert (await engine.board()).seq == 1
        async for one in remote.entries(0):
            assert one == entry
            break


async def test_what_stands_in_the_way_is_said(tmp_path: Path) -> None:
    async with cluster(tmp_path, "not-the-daemons-token") as (settings, _), asyncio.timeout(20):
        with pytest.raises(PetopsError, match="bearer token"):
            async with found_engine(settings, None) as remote:
                await remote.board()
        nobody = replace(settings, daemon=replace(settings.daemon, token=""))
        with pytest.raises(PetopsError, match="no token"):
            async with found_engine(nobody, None):
                pass
        for place, kind in (
            ("default/nothing", NotThereError),
            ("default/kubernetes", SourceError),
        ):
            with pytest.raises(kind):
                async with found_engine(settings, f"kubernetes:{place}"):
                    pass
