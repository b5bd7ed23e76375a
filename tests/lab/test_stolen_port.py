"""A program of the lab whose port somebody else takes while it is being started again."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from contextlib import closing
from pathlib import Path

import pytest

from petops.lab.aws import running_aws
from petops.lab.children import LOOPBACK, free_port
from petops.lab.supervision import Program, kept_running

SERVER = """
import http.server, sys
http.server.ThreadingHTTPServer.allow_reuse_address = True
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.BaseHTTPRequestHandler
).serve_forever()
"""


async def answers(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


def thief_of(port: int) -> socket.socket:
    """Return a socket that listens on a port, and answers nobody."""
    thief = socket.socket()
    thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    thief.bind((LOOPBACK, port))
    thief.listen()
    return thief


async def until(holds: object, seconds: float = 15) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # type: ignore[operator]  # noqa: ASYNC110
            await asyncio.sleep(0.05)


@pytest.mark.slow
async def test_a_stolen_port_is_waited_for_and_said(tmp_path: Path) -> None:
    port, told = free_port(), list[str]()
    program = Program(
        name="server",
        command=[sys.executable, "-c", SERVER, str(port)],
        log=tmp_path / "log",
        made_ready=lambda: answers(port),
        port=port,
    )
    async with kept_running(program, told.append) as kept:
        assert kept.is_ready
        os.kill(kept.pid, signal.SIGKILL)
        await until(lambda: not kept.is_ready)
        with closing(thief_of(port)):
            await until(lambda: told)
            await asyncio.sleep(1)
            assert not kept.is_ready
        await until(lambda: kept.is_ready)
    assert told[0] == f"server waits: another program has its port {port}"
    assert "was started again" in told[1]
    assert not await answers(port)


@pytest.mark.slow
async def test_motos_port_is_waited_for_as_well(tmp_path: Path) -> None:
    told: list[str] = []
    async with running_aws(tmp_path, told.append) as aws:
        port = int(aws.endpoint_url.rpartition(":")[2])
        os.kill(aws.process.pid, signal.SIGKILL)
        await until(lambda: not aws.process.is_ready)
        with closing(thief_of(port)):
            await until(lambda: told)
        await until(lambda: aws.process.is_ready)
        await aws.call("sqs", "get_queue_attributes", QueueUrl=aws.queue_url)
    assert told[0] == f"moto waits: another program has its port {port}"
    assert "was started again" in told[1]
