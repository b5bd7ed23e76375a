"""Amazon Managed Prometheus: a real Prometheus behind a server that verifies signatures."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from petops.config import PrometheusSettings, Settings
from petops.errors import SourceError, UsageError
from petops.lab.children import free_port, listening_socket
from petops.lab.prometheus import find_prometheus
from petops.lab.serving import LoopbackServer
from petops.mcp_server.client import PrometheusAccess, PrometheusHttp
from petops.mcp_server.sigv4 import SigV4, region_of
from petops.metrics_access import prometheus_client

REGION = "eu-west-1"
WORKSPACE = "/workspaces/ws-lab"
KEY = Credentials("AKIDEXAMPLE", "a-secret-of-the-tests", "a-session")


@dataclass
class Guard:
    """Lets through what is signed with `KEY` for its region, and remembers what it saw."""

    behind: str
    seen: list[dict[str, str]] = field(default_factory=list)

    async def answer(self, request: Request) -> Response:
        body = await request.body()
        headers = dict(request.headers)
        self.seen.append(headers)
        if not self._is_signed(request, headers, body):
            return JSONResponse({"message": "The request signature does not match"}, 403)
        async with httpx2.AsyncClient(base_url=self.behind, trust_env=False) as client:
            answer = await client.request(
                request.method,
                request.url.path,
                params=dict(request.query_params),
                content=body,
                headers={"content-type": headers.get("content-type", "")},
            )
        return Response(answer.content, answer.status_code, media_type="application/json")

    def _is_signed(self, request: Request, headers: dict[str, str], body: bytes) -> bool:
        authorization = headers.get("authorization", "")
        if f"/{REGION}/aps/aws4_request" not in authorization:
            return False
        signed = authorization.partition("SignedHeaders=")[2].partition(",")[0].split(";")
        again = AWSRequest(
            method=request.method,
            url=str(request.url),
            data=body,
            headers={name: headers[name] for name in signed},
        )
        again.context["timestamp"] = headers["x-amz-date"]
        signer: Any = SigV4Auth(KEY.get_frozen_credentials(), "aps", REGION)
        text = signer.string_to_sign(again, signer.canonical_request(again))
        return authorization.endswith(f"Signature={signer.signature(text, again)}")


@asynccontextmanager
async def managed(folder: Path) -> AsyncIterator[tuple[str, Guard]]:
    """Run a Prometheus under a workspace's path, behind a guard; yield the guard's address."""
    port = free_port()
    (folder / "prometheus.yml").write_text("", encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        str(find_prometheus()),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        f"--web.route-prefix={WORKSPACE}",
        "--log.level=error",
    )
    behind = f"http://127.0.0.1:{port}"
    guard = Guard(behind)
    app = Starlette(routes=[Route("/{path:path}", guard.answer, methods=["GET", "POST"])])
    server = LoopbackServer(app, listening_socket())
    serving = asyncio.create_task(server.run_until_cancelled())
    try:
        async with asyncio.timeout(10):
            await server.ready.wait()
            async with httpx2.AsyncClient(trust_env=False) as client:
                while not await _is_ready(client, f"{behind}{WORKSPACE}/-/ready"):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        yield f"{server.url}{WORKSPACE}", guard
    finally:
        serving.cancel()
        await asyncio.wait({serving})
        process.terminate()
        await process.wait()


async def _is_ready(client: httpx2.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(url)).is_success
    except httpx2.TransportError:
        return False


@pytest.mark.slow
async def test_signed_queries_reach_the_workspace_and_others_do_not(tmp_path: Path) -> None:
    async with managed(tmp_path) as (url, guard):
        signed = PrometheusAccess(url=url, auth=SigV4(REGION, credentials=KEY))
        async with PrometheusHttp(signed) as client:
            answer = await client.query(
                'vector(7) + 0 * scalar(vector(1)) or absent(x{a="b c+/="})'
            )
            assert answer.data["result"][0]["value"][1] == "7"
            assert await client.metric_names() == ()
        assert guard.seen[0]["x-amz-security-token"] == "a-session"
        for wrong in (None, SigV4("us-east-1", credentials=KEY)):
            async with PrometheusHttp(PrometheusAccess(url=url, auth=wrong)) as client:
                with pytest.raises(SourceError, match="403"):
                    await client.query("vector(1)")


@pytest.mark.parametrize(
    ("url", "region"),
    [
        ("https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1", "eu-west-1"),
        ("https://aps-workspaces.us-gov-west-1.amazonaws.com/workspaces/ws-1/", "us-gov-west-1"),
        ("http://127.0.0.1:9090", ""),
        ("https://aps-workspaces.eu-west-1.amazonaws.com.evil.example/", ""),
    ],
)
def test_a_workspace_says_its_region(url: str, region: str) -> None:
    assert region_of(url) == region


async def test_headers_and_tenants_come_from_the_settings() -> None:
    seen: list[dict[str, str]] = []

    async def answer(request: Request) -> Response:
        seen.append(dict(request.headers))
        return JSONResponse({"status": "success", "data": {"resultType": "vector", "result": []}})

    app = Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])])
    server = LoopbackServer(app, listening_socket())
    serving = asyncio.create_task(server.run_until_cancelled())
    try:
        async with asyncio.timeout(10):
            await server.ready.wait()
        settings = PrometheusSettings(
            url=f"{server.url}/prometheus",
            user="reader",
            password="of-a-test",  # noqa: S106
            headers=("X-Scope-OrgID: team-a",),
        )
        async with prometheus_client(Settings(prometheus=settings)) as client:
            await client.query("vector(1)")
    finally:
        serving.cancel()
        await asyncio.wait({serving})
    assert seen[0]["x-scope-orgid"] == "team-a"
    assert seen[0]["authorization"].startswith("Basic ")


def test_a_header_that_is_none_is_said() -> None:
    settings = PrometheusSettings(url="http://127.0.0.1:9090", headers=("nonsense",))
    with pytest.raises(UsageError, match="is no header"):
        prometheus_client(Settings(prometheus=settings))
