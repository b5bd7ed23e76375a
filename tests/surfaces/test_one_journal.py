"""Two daemons on one journal: the first keeps it, the second says so in a sentence and ends."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import httpx2
import pytest

from petops.lab.children import free_port
from tests.surfaces.away import kubeconfig, secrets_kept_at
from tests.surfaces.replicas import Pair, Replica

pytestmark = pytest.mark.slow


def environment(folder: Path, silent: str) -> dict[str, str]:
    """A daemon whose cluster is away, and whose secrets are kept where nobody ever answers."""
    nowhere = f"http://127.0.0.1:{free_port()}"
    kept = {key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ}
    return {
        **kept,
        "HOME": str(folder),
        "KUBECONFIG": str(kubeconfig(folder, nowhere)),
        "PETOPS_JOURNAL": str(folder / "journal.db"),
        **secrets_kept_at(silent),
        "PETOPS_CLUSTER_REGION": "us-east-1",
        "SLACK_BOT_TOKEN": "secretsmanager:devops-agent/slack-token#bot_token",
        "PETOPS_SLACK_CHANNEL": "C0123456789",
    }


async def test_the_second_ends_and_the_first_serves_on_and_ends_in_order(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listening:
        given = environment(tmp_path, f"http://127.0.0.1:{listening.getsockname()[1]}")
        first, second = (Replica(name, given, tmp_path) for name in ("first", "second"))
        try:
            async with httpx2.AsyncClient(trust_env=False) as client:
                pair = Pair(client, (first, second))
                first.start()
                await pair.ready(first)
                token = (tmp_path / "journal.token").read_text(encoding="ascii")
                second.start()
                assert await second.ended() == 1
                error, hint = second.said.splitlines()
                assert error.startswith(f"error: the journal {tmp_path}/journal.db is in use by")
                assert hint.startswith("hint: attach to that engine")
                head = {"Authorization": f"Bearer {token}"}
                answer = await client.get(f"{first.url}/api/v1/incidents", headers=head)
                assert answer.status_code == 200
                near = httpx2.AsyncHTTPTransport(uds=str(tmp_path / "journal.sock"))
                async with httpx2.AsyncClient(base_url="http://x", transport=near) as here:
                    assert (await here.get("/readyz")).is_success
        finally:
            await second.end(signal.SIGKILL)
            status = await first.end(signal.SIGTERM)
        assert status == 0, "it waits for no answer of AWS when it is told to end"
        assert "Traceback" not in first.said
