"""An engine is ready although everything around it is away; what needs a secret waits for that."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from petops.config import Settings, load
from petops.lab.children import free_port
from petops.programs.daemon import serving
from tests.adapters.prometheus.stub import http
from tests.surfaces.away import kubeconfig, secrets_kept_at

pytestmark = pytest.mark.slow
SECRET = "do-not-tell-anybody"  # noqa: S105


class SecretsManager:
    """Takes every question, and answers none before it is told to."""

    def __init__(self) -> None:
        self.answers = asyncio.Event()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await self.answers.wait()
            writer.write(http(json.dumps({"Name": "x", "SecretString": SECRET})))
            await writer.drain()
        finally:
            writer.close()

    @asynccontextmanager
    async def served(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self.answer, "127.0.0.1", 0)
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            self.answers.set()
            server.close()


def nowhere() -> str:
    return f"http://127.0.0.1:{free_port()}"


def settings(folder: Path, aws: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of an engine whose cluster is away, and whose secrets are in Secrets Manager."""
    for name, value in secrets_kept_at(aws).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    given = {
        "KUBECONFIG": str(kubeconfig(folder, nowhere())),
        "PETOPS_JOURNAL": str(folder / "journal.db"),
        "PETOPS_DAEMON_PORT": "0",
        "PETOPS_CLUSTER_REGION": "us-east-1",
        "PETOPS_TOKEN": "secretsmanager:devops-agent/api",
        "PROMETHEUS_URL": nowhere(),
        "PETOPS_PROMETHEUS_TOKEN": "secretsmanager:devops-agent/prometheus",
        "SLACK_BOT_TOKEN": "secretsmanager:devops-agent/slack-token#bot_token",
        "PETOPS_SLACK_CHANNEL": "C0123456789",
        "PETOPS_SLACK_API_URL": f"{nowhere()}/api/",
        "PETOPS_PAGERDUTY_KEY": "secretsmanager:devops-agent/pagerduty",
        "PETOPS_PAGERDUTY_URL": nowhere(),
    }
    return load(None, given).settings


async def status(base: str, token: str, path: str = "/api/v1/incidents") -> tuple[int, str]:
    head = {"Authorization": f"Bearer {token}"} if token else {}
    async with httpx2.AsyncClient(base_url=base, headers=head, trust_env=False) as client:
        answer = await client.get(path)
    return answer.status_code, answer.text


async def test_an_engine_waits_for_no_secret_and_no_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws, said = SecretsManager(), list[str]()
    async with aws.served() as url, asyncio.timeout(60):
        given = settings(tmp_path, url, monkeypatch)
        async with serving(given, said.append) as served:
            assert not aws.answers.is_set(), "it is ready before a secret was told"
            assert (await status(served.url, "", "/readyz"))[0] == 200
            near = httpx2.AsyncHTTPTransport(uds=str(served.socket))
            async with httpx2.AsyncClient(base_url="http://x", transport=near) as client:
                assert (await client.get("/api/v1/incidents")).is_success
            code, told = await status(served.url, SECRET)
            assert (code, "still being read" in told) == (503, True)
            assert (await status(served.url, ""))[0] == 401
            page = {"Accept": "text/html"}
            async with httpx2.AsyncClient(base_url=served.url, trust_env=False) as client:
                form = {"token": SECRET, "to": "/incidents"}
                entered = await client.post("/login", data=form, headers=page)
                assert entered.status_code == 503, entered.text
            aws.answers.set()
            while (await status(served.url, SECRET))[0] != 200:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            assert (await status(served.url, "another"))[0] == 401
            # Slack's secret should be JSON: that is said, and what it is instead is not.
            while not any("slack.bot_token is not there yet" in one for one in said):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    assert not [one for one in said if SECRET in one]
    assert SECRET.encode() not in b"".join(
        one.read_bytes()
        for one in tmp_path.iterdir()  # noqa: ASYNC240
        if one.is_file()
    )
