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
from petops.programs.dashboard import Wish, _attached
from petops.programs.engine_at import EngineAt, at
from petops.sources.kubernetes_calls import open_calls
from petops.sources.kubernetes_forward import forwarded
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


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("kubernetes:default/petsite", "default/petsite"),
        ("prod=kubernetes:default/petsite", "prod"),
    ],
)
async def test_the_dashboard_goes_the_same_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, name: str
) -> None:
    async with cluster(tmp_path, TOKEN) as (settings, _), asyncio.timeout(20):
        monkeypatch.setenv("KUBECONFIG", settings.cluster.kubeconfig)
        monkeypatch.setenv("PETOPS_TOKEN", TOKEN)
        (found,) = _attached(Wish(attach=(text,)))
        assert found.name == name
        async with EngineAt(found.reach) as engine:
            assert (await engine.board()).seq == 0
        monkeypatch.delenv("PETOPS_TOKEN")
        (found,) = _attached(Wish(attach=(text,)))
        with pytest.raises(PetopsError, match="no token") as raised:
            async with EngineAt(found.reach) as engine:
                await engine.reached()
        assert "kubectl create token" in (raised.value.hint or "")


async def test_a_pod_that_is_gone_is_followed_by_another(tmp_path: Path) -> None:
    """A dashboard stays open for hours: rollouts and evictions come to pass meanwhile."""
    pods, head = "/api/v1/namespaces/default/pods", {"Connection": "close"}
    async with (
        asyncio.timeout(30),
        cluster(tmp_path, TOKEN) as (settings, _),
        open_calls(kubeconfig=settings.cluster.kubeconfig) as calls,
        forwarded(calls, "default", "petsite") as url,
        httpx2.AsyncClient(base_url=url, trust_env=False) as client,
    ):
        assert (await client.get("/healthz", headers=head)).is_success
        listed = await calls.request("GET", pods, query={"labelSelector": "app=petsite"})
        first, *others = (one["metadata"]["name"] for one in listed.body["items"])
        assert others
        now = {"gracePeriodSeconds": "0"}
        assert (await calls.request("DELETE", f"{pods}/{first}", query=now)).status == 200
        assert (await client.get("/healthz", headers=head)).is_success


async def test_a_token_that_has_expired_is_read_anew(tmp_path: Path) -> None:
    """`aws eks get-token` gives one for a quarter of an hour."""
    engine, users = SmallEngine(), {hashed("first"): "ana"}
    file = tmp_path / "kubeconfig"
    plain = KUBECONFIG.format(url="http://127.0.0.1:1")
    file.write_text(plain.replace("user: {}", "user: {token: first}"), encoding="ascii")
    async with (
        asyncio.timeout(20),
        open_calls(kubeconfig=str(file)) as calls,
        serve_http(server(engine, Tokens(users), {}), "127.0.0.1", 0) as url,
        EngineAt(at(url, calls.own_token, calls.renewed_token)) as remote,
    ):
        assert (await remote.board()).seq == 0
        users.clear()
        users[hashed("second")] = "ana"
        with pytest.raises(PetopsError, match="token"):
            await remote.board()
        file.write_text(plain.replace("user: {}", "user: {token: second}"), encoding="ascii")
        entry = await remote.submit(ReportAlarm(id="r", alarm=alarm()))
        async for one in remote.entries(0):
            assert one == entry
            break


async def test_a_cluster_that_is_away_at_first_is_reached_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of several engines must not keep the dashboard from opening."""
    away = tmp_path / "away"
    away.write_text(KUBECONFIG.format(url="http://127.0.0.1:9"), encoding="ascii")
    monkeypatch.setenv("KUBECONFIG", str(away))
    monkeypatch.setenv("PETOPS_TOKEN", TOKEN)
    async with cluster(tmp_path, TOKEN) as (settings, _), asyncio.timeout(20):
        first, second = _attached(Wish(attach=("a=kubernetes:default/petsite", "b=http://x")))
        assert (first.name, second.name) == ("a", "b")
        async with EngineAt(first.reach) as engine:
            with pytest.raises(PetopsError):
                await engine.board()
            away.unlink()
            away.symlink_to(settings.cluster.kubeconfig)
            boards = await asyncio.gather(engine.board(), engine.board())
            assert [one.seq for one in boards] == [0, 0]
