"""The transport: a stub API server on 127.0.0.1, and every way in which it can fail."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from petops.domain.subject import ClusterName
from petops.errors import OutcomeUnknownError, PetopsError, SourceError
from petops.sources.kubernetes_calls import open_calls
from petops.sources.kubernetes_credentials import cluster_name

READ_AND_WRITE = [("GET", SourceError), ("PATCH", OutcomeUnknownError)]
ARN = "arn:aws:eks:us-east-1:111122223333:cluster/shop"


class Server:
    """Answers as it is told, and remembers what it was asked."""

    def __init__(self) -> None:
        self.seen: list[web.Request] = []
        self.bodies: list[bytes] = []
        self.answer: Callable[[web.Request], Any] = lambda _: web.json_response({"ok": True})
        self.port = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request)
        self.bodies.append(await request.read())
        made = self.answer(request)
        response: web.StreamResponse = await made if asyncio.iscoroutine(made) else made
        return response


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    served = Server()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", served.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    served.port = runner.addresses[0][1]
    yield served
    await runner.cleanup()


def kubeconfig(
    folder: Path, address: str, *, user: dict[str, Any] | None = None, authority: str = ""
) -> str:
    cluster = {"server": address}
    if authority:
        cluster["certificate-authority"] = str(folder / "authority")
        (folder / "authority").write_text(authority)
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "main",
        "clusters": [{"name": ARN, "cluster": cluster}],
        "users": [{"name": "me", "user": user or {}}],
        "contexts": [
            {"name": "main", "context": {"cluster": ARN, "user": "me"}},
            {"name": "other", "context": {"cluster": ARN, "user": "me"}},
        ],
    }
    path = folder / "kubeconfig"
    path.write_text(json.dumps(config))
    return str(path)


async def test_a_call_and_its_answer(server: Server, tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, f"http://127.0.0.1:{server.port}", user={"token": "secret"})
    async with open_calls(kubeconfig=path, context="other") as calls:
        assert calls.cluster == ClusterName(name="shop", account="111122223333", region="us-east-1")
        selector = "app.kubernetes.io/name=a b,tier in (x,y)"
        answer = await calls.request("GET", "/api/v1/pods", query={"labelSelector": selector})
        assert (answer.status, answer.body) == (200, {"ok": True})
        (request,) = server.seen
        assert request.query["labelSelector"] == selector
        assert request.headers["authorization"] == "Bearer secret"
        assert request.headers["user-agent"] == "petops"
        patch = {"metadata": {"annotations": None}}
        merge = "application/merge-patch+json"
        await calls.request("PATCH", "/apis/x", body=patch, content_type=merge)
        assert json.loads(server.bodies[-1]) == patch
        assert server.seen[-1].content_type == merge


@pytest.mark.parametrize("code", [403, 404, 409, 422, 429, 500])
async def test_a_status_is_an_answer(server: Server, tmp_path: Path, code: int) -> None:
    server.answer = lambda _: web.json_response({"message": "no"}, status=code)
    async with open_calls(kubeconfig=kubeconfig(tmp_path, url(server))) as calls:
        answer = await calls.request("GET", "/x")
    assert (answer.status, answer.message) == (code, "no")
    assert len(server.seen) == 1, "nothing is repeated behind our back"


def url(server: Server) -> str:
    return f"http://127.0.0.1:{server.port}"


async def test_an_answer_that_is_no_json_is_text(server: Server, tmp_path: Path) -> None:
    server.answer = lambda _: web.Response(text="404 page not found\n", status=404)
    async with open_calls(kubeconfig=kubeconfig(tmp_path, url(server))) as calls:
        assert (await calls.request("GET", "/x")).message == "404 page not found"


@pytest.mark.parametrize(("method", "error"), READ_AND_WRITE)
async def test_an_answer_that_never_comes(
    server: Server, tmp_path: Path, method: str, error: type[PetopsError]
) -> None:
    server.answer = lambda _: asyncio.sleep(5)
    async with open_calls(kubeconfig=kubeconfig(tmp_path, url(server)), seconds=0.2) as calls:
        with pytest.raises(error, match=r"did not answer within 0\.2 s"):
            await calls.request(method, "/x", body={} if method == "PATCH" else None)


@pytest.mark.parametrize(("method", "error"), READ_AND_WRITE)
async def test_a_connection_that_breaks(
    server: Server, tmp_path: Path, method: str, error: type[PetopsError]
) -> None:
    async def hang_up(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    server.answer = hang_up
    async with open_calls(kubeconfig=kubeconfig(tmp_path, url(server))) as calls:
        with pytest.raises(error, match="broke the connection"):
            await calls.request(method, "/x", body={} if method == "PATCH" else None)


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("http://127.0.0.1:{free}", "cannot be reached"),
        ("https://127.0.0.1:{port}", "TLS"),
        ("http://no-such-host.invalid", "is not known here"),
        ("nonsense", "no address"),
    ],
)
async def test_what_was_certainly_not_sent_is_a_source_error(
    server: Server, tmp_path: Path, address: str, says: str
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = address.format(free=unused.getsockname()[1], port=server.port)
        async with open_calls(kubeconfig=kubeconfig(tmp_path, address)) as calls:
            with pytest.raises(SourceError, match=says) as caught:
                await calls.request("PATCH", "/x", body={})
    assert caught.value.hint
    assert not server.seen


async def test_expired_credentials_are_read_anew_once(server: Server, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("old")

    def answer(request: web.Request) -> web.Response:
        if request.headers["authorization"] == "Bearer new":
            return web.json_response({})
        token.write_text("new")
        return web.json_response({"message": "Unauthorized"}, status=401)

    server.answer = answer
    path = kubeconfig(tmp_path, url(server), user={"tokenFile": str(token)})
    async with open_calls(kubeconfig=path) as calls:
        answers = await asyncio.gather(*(calls.request("GET", f"/{one}") for one in range(3)))
        assert {one.status for one in answers} == {200}
        server.answer = lambda _: web.json_response({"message": "Unauthorized"}, status=401)
        assert (await calls.request("GET", "/x")).status == 401


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "there is no kubeconfig at"),
        ("{", "cannot be used"),
        ("[]", "cannot be used"),
        ("{}", "cannot be used"),
        ("clusters: []\ncontexts: []\nusers: []\ncurrent-context: x", "cannot be used"),
    ],
)
async def test_a_kubeconfig_that_cannot_be_used(
    tmp_path: Path, text: str | None, says: str
) -> None:
    path = tmp_path / "kubeconfig"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SourceError, match=says) as caught:
        async with open_calls(kubeconfig=str(path)):
            pass
    assert "\n" not in caught.value.message
    assert caught.value.hint


def program(folder: Path, text: str) -> dict[str, Any]:
    """A user whose credentials a program gives, as `aws eks update-kubeconfig` writes it."""
    path = folder / "get-token"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)
    version = "client.authentication.k8s.io/v1beta1"
    return {"exec": {"apiVersion": version, "command": str(path)}}


async def test_a_token_that_a_program_gives(server: Server, tmp_path: Path) -> None:
    credential = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "kind": "ExecCredential",
        "status": {"token": "given", "expirationTimestamp": "2126-01-01T00:00:00Z"},
    }
    user = program(tmp_path, f"echo '{json.dumps(credential)}'")
    async with open_calls(kubeconfig=kubeconfig(tmp_path, url(server), user=user)) as calls:
        await calls.request("GET", "/x")
    assert server.seen[-1].headers["authorization"] == "Bearer given"


async def test_a_program_that_gives_no_token_is_an_error_with_its_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    user = program(tmp_path, "echo 'the SSO session has expired' >&2; exit 255")
    with pytest.raises(SourceError, match="SSO session has expired") as caught:
        async with open_calls(kubeconfig=kubeconfig(tmp_path, "http://127.0.0.1", user=user)):
            pass
    assert "\n" not in caught.value.message
    assert not capsys.readouterr().err, "nothing may write over the screen"


async def test_certificates_that_cannot_be_read(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, "https://127.0.0.1", authority="no certificate")
    with pytest.raises(SourceError, match="certificates"):
        async with open_calls(kubeconfig=path):
            pass


@pytest.mark.parametrize(
    ("entry", "name"),
    [
        (ARN, ClusterName(name="shop", account="111122223333", region="us-east-1")),
        (
            "arn:aws-cn:eks:cn-north-1:111122223333:cluster/a-b",
            ClusterName(name="a-b", account="111122223333", region="cn-north-1"),
        ),
        ("shop.eu-west-1.eksctl.io", ClusterName(name="shop", region="eu-west-1")),
        ("kind-test", ClusterName(name="kind-test")),
        ("", ClusterName(name="")),
    ],
)
def test_the_name_of_a_cluster(entry: str, name: ClusterName) -> None:
    assert cluster_name(entry) == name
