"""Port-forward: by kubectl, and by both Python clients."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import aiohttp
import httpx2
import pytest
from kubernetes import client as kubernetes_client
from kubernetes.aio import client as aio_client
from kubernetes.aio.stream import WsApiClient
from kubernetes.stream import portforward

from tests.lab.kubectl import PROGRAM, Kubectl, served

pytestmark = pytest.mark.slow


@asynccontextmanager
async def forwarding(url: str, home: Path, *arguments: str) -> AsyncIterator[str]:
    """kubectl port-forward, from the line on that says where it listens."""
    if not PROGRAM.exists():
        pytest.skip("there is no .tools/kubectl; `make test` gets it")
    process = await asyncio.create_subprocess_exec(
        PROGRAM,
        *("--server", url, "port-forward", *arguments),
        env={"HOME": str(home), "PATH": "/usr/bin:/bin"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(20):
            said = (await process.stdout.readline()).decode()
        found = re.search(r"Forwarding from (127\.0\.0\.1:\d+)", said)
        assert found, said + (await process.stdout.read()).decode()
        yield f"http://{found[1]}"
    finally:
        process.kill()
        await process.wait()


async def first_pod(url: str, app: str) -> str:
    async with httpx2.AsyncClient(base_url=url) as client:
        selector = f"labelSelector=app={app},component=service"
        found = (await client.get(f"/api/v1/namespaces/default/pods?{selector}")).json()
    return str(found["items"][0]["metadata"]["name"])


async def test_kubectl_reaches_what_a_pod_answers(tmp_path: Path) -> None:
    async with served() as url:
        pod = await first_pod(url, "petsite")
        async with (
            forwarding(url, tmp_path, "svc/petsite", ":80") as local,
            httpx2.AsyncClient(base_url=local, timeout=20) as client,
        ):
            several = await asyncio.gather(*(client.get("/health/status") for _ in range(20)))
            assert {answer.text for answer in several} == {"ok\n"}
            metrics = (await client.get("/metrics")).text
            assert re.search(r'http_requests_total\{code="200".*service="petsite"\} \d+', metrics)
            assert "process_resident_memory_bytes" in metrics
            head = await client.head("/health/status")
            assert (head.status_code, head.headers["content-length"], head.text) == (200, "3", "")
        async with (
            forwarding(url, tmp_path, f"pod/{pod}", ":9999") as local,
            httpx2.AsyncClient(base_url=local, timeout=20) as client,
        ):
            with pytest.raises(httpx2.HTTPError):
                await client.get("/")


class Big(BaseHTTPRequestHandler):
    """A program that really listens: it sends back what it gets, or a megabyte of its own."""

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["content-length"])))

    def do_GET(self) -> None:
        self._answer(bytes(range(256)) * 4096)

    def log_message(self, *_: object) -> None:
        return

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def real_port() -> Any:
    with ThreadingHTTPServer(("127.0.0.1", 0), Big) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


async def test_a_program_on_this_machine_can_stand_behind_a_pod(
    tmp_path: Path, real_port: int
) -> None:
    async with served() as url:
        kubectl = Kubectl(url, tmp_path)
        behind = f"lab.petops.dev/ports=8080={real_port}"
        await kubectl("annotate", "deployment", "petsite", behind)
        async with (
            forwarding(url, tmp_path, "svc/petsite", ":80") as local,
            httpx2.AsyncClient(base_url=local, timeout=20) as client,
        ):
            body = bytes(reversed(range(256))) * 3000
            assert (await client.post("/", content=body)).content == body
            answers = await asyncio.gather(*(client.get("/") for _ in range(5)))
        assert {len(answer.content) for answer in answers} == {256 * 4096}
        await kubectl(
            "annotate", "deployment", "petsite", "--overwrite", "lab.petops.dev/ports=8080=1"
        )
        async with (
            forwarding(url, tmp_path, "svc/petsite", ":80") as local,
            httpx2.AsyncClient(base_url=local, timeout=20) as client,
        ):
            with pytest.raises(httpx2.HTTPError):
                await client.get("/")


def asked_through_socket(url: str, pod: str) -> tuple[int, bytes, str | None]:
    configuration = kubernetes_client.Configuration(host=url)
    api = kubernetes_client.CoreV1Api(kubernetes_client.ApiClient(configuration))
    forward = portforward(
        api.connect_get_namespaced_pod_portforward, pod, "default", ports="8080,9999"
    )
    connection = http.client.HTTPConnection("127.0.0.1")
    connection.sock = forward.socket(8080)
    connection.request("GET", "/metrics")
    answer = connection.getresponse()
    found = answer.status, answer.read(), forward.error(9999)
    forward.close()
    api.api_client.close()
    return found


async def test_the_python_client_s_portforward_works(tmp_path: Path) -> None:
    async with served() as url:
        pod = await first_pod(url, "petsite")
        status, body, error = await asyncio.to_thread(asked_through_socket, url, pod)
    assert status == 200
    assert b"http_requests_total" in body
    assert error is not None
    assert "dial tcp4 127.0.0.1:9999: connect: connection refused" in error


async def test_the_aio_client_gets_the_channels_too() -> None:
    async with served() as url:
        pod = await first_pod(url, "petsite")
        api: Any = WsApiClient(aio_client.Configuration(host=url))  # type: ignore[no-untyped-call]
        async with api:
            core = aio_client.CoreV1Api(api)
            connecting: Any = (
                await core.connect_get_namespaced_pod_portforward_without_preload_content(
                    pod, "default", ports="8080"
                )
            )
            async with connecting as socket:
                heads = [(await socket.receive()).data for _ in range(2)]
                request = b"GET /health/status HTTP/1.1\r\nConnection: close\r\n\r\n"
                await socket.send_bytes(b"\x00" + request)
                answer = (await socket.receive()).data
                closed = await socket.receive()
    assert heads == [b"\x00\x90\x1f", b"\x01\x90\x1f"]
    assert answer.startswith(b"\x00HTTP/1.1 200 OK\r\n")
    assert closed.type in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED}


async def test_what_cannot_be_forwarded_or_entered_is_a_status(tmp_path: Path) -> None:
    async with served() as url:
        kubectl = Kubectl(url, tmp_path)
        pod = await first_pod(url, "petsite")
        path = f"/api/v1/namespaces/default/pods/{pod}"
        async with httpx2.AsyncClient(base_url=url) as client:
            plain = (await client.post(f"{path}/portforward")).json()
            entered = (await client.post(f"{path}/exec?command=sh")).json()
            gone = (await client.get("/api/v1/namespaces/default/pods/no/portforward")).json()
            as_reader = {"Authorization": "Bearer lab-read-only"}
            denied = (await client.get(f"{path}/portforward", headers=as_reader)).json()
        async with aiohttp.ClientSession(url) as session:
            for there, status in ((f"{path}/portforward?ports=0", 400), (f"{path}/exec", 501)):
                with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                    await session.ws_connect(there)
                assert refused.value.status == status
        said = await kubectl("exec", pod, "--", "sh", fails=True)
        absent = await kubectl("port-forward", "pod/no", "1", fails=True)
    assert (plain["reason"], plain["message"]) == ("BadRequest", "Upgrade request required")
    assert (entered["kind"], entered["code"]) == ("Status", 501)
    assert (gone["reason"], denied["reason"]) == ("BadRequest", "Forbidden")
    assert "containers are simulated here" in said
    assert 'pods "no" not found' in absent
    assert json.dumps(denied)
