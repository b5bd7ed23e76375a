"""HTTPS_PROXY, NO_PROXY and SSL_CERT_FILE hold for every client that petops speaks to others by.

A proxy on loopback writes down what it is asked for, and refuses; a server with a certificate of
its own authority writes down who got through to it.
"""

from __future__ import annotations

import ast
import asyncio
import datetime
import ipaddress
import os
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from petops.config.network import trusted
from petops.domain.alarm_mapping import AlarmMapping
from petops.domain.subject import ClusterName
from petops.errors import PetopsError
from petops.mcp_server.client import PrometheusAccess, PrometheusHttp
from petops.notifiers.base import post
from petops.remote import connected
from petops.sources.aws_calls import HASTY, AwsCalls
from petops.sources.cloudwatch_alarms import CloudWatchAlarms
from petops.sources.kubernetes_calls import open_calls
from petops.sources.mcp_caller import McpCaller, McpUrl
from petops.sources.sqs_alarms import SqsAlarms

pytestmark = pytest.mark.slow

SOURCE = Path(__file__).parents[2] / "src" / "petops"
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
REFUSED = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
TLS_HELLO = b"\x16"
VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@dataclass
class Heard:
    """A server, and the first lines of the requests that came to it."""

    port: int = 0
    lines: list[str] = field(default_factory=list)


@asynccontextmanager
async def listening(answer: bytes, tls: ssl.SSLContext | None = None) -> AsyncIterator[Heard]:
    heard = Heard()
    serving: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.current_task())
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            first = await reader.readexactly(1)
            if first != TLS_HELLO:
                head = first + await reader.readuntil(b"\r\n\r\n")
                heard.lines.append(head.split(b"\r\n")[0].decode())
                writer.write(answer)
                await writer.drain()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    async with server:
        heard.port = server.sockets[0].getsockname()[1]
        yield heard
        for one in filter(None, serving):
            with suppress(TimeoutError):
                async with asyncio.timeout(5):
                    await asyncio.wait({one})


# --- every client, used once


async def kubernetes(url: str, folder: Path) -> None:
    file = folder / "kubeconfig"
    document = {
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "current-context": "c",
    }
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    async with open_calls(kubeconfig=str(file), seconds=5) as calls:
        await calls.request("GET", "/version")


async def prometheus(url: str, _: Path) -> None:
    async with PrometheusHttp(PrometheusAccess(url=url)) as client:
        await client.check()


async def mcp(url: str, _: Path) -> None:
    async with McpCaller(McpUrl(url=f"{url}/mcp")) as caller:
        await caller.tools(3)


async def attach(url: str, _: Path) -> None:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(connected(url, "token"))


async def aws(url: str, _: Path) -> None:
    os.environ["AWS_ENDPOINT_URL"] = url
    async with AwsCalls("sts", "STS", region="us-east-1", patience=HASTY) as calls:
        await calls.call("get_caller_identity")


async def queue(url: str, _: Path) -> None:
    os.environ["AWS_ENDPOINT_URL"] = url
    async with SqsAlarms(f"{url}/123456789012/alarms", region="us-east-1") as alarms:
        await alarms.poll()


async def alarm_by_name(url: str, _: Path) -> None:
    os.environ["AWS_ENDPOINT_URL"] = url
    mapping = AlarmMapping(here=ClusterName(name="c"), rules=())
    await CloudWatchAlarms(region="us-east-1").find("any", mapping)


async def notifier(url: str, _: Path) -> None:
    await post(url, {}, {}, "the webhook")


async def slack(url: str, _: Path) -> None:
    """In a process of its own: aiohttp reads the authorities once, when it is imported."""
    code = (
        "import asyncio; from petops.slack.web import slack_web\n"
        "async def use():\n"
        f"    async with slack_web('{url}/api/', 'xoxb-1') as slack:\n"
        "        await slack.call('auth.test')\n"
        "asyncio.run(use())"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stderr=asyncio.subprocess.DEVNULL
    )
    await process.wait()


Use = Callable[[str, Path], Awaitable[None]]
CLIENTS: list[Use] = [
    kubernetes,
    prometheus,
    mcp,
    attach,
    aws,
    queue,
    alarm_by_name,
    notifier,
    slack,
]


async def use(client: Use, url: str, folder: Path) -> None:
    """Use a client once; what became of it the servers know."""
    with suppress(PetopsError):
        async with asyncio.timeout(20):
            await client(url, folder)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [one for one in os.environ if one.startswith(("AWS_", "KUBERNETES_"))]:
        monkeypatch.delenv(name)
    for name in (*VARIABLES, "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "")
    monkeypatch.delenv("AWS_ENDPOINT_URL")


@pytest.mark.parametrize("client", CLIENTS, ids=lambda one: one.__name__)
async def test_a_client_goes_through_the_proxy_unless_it_is_told_not_to(
    client: Use, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with listening(REFUSED) as proxy, listening(OK) as server:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        there = f"127.0.0.1:{server.port}"
        await use(client, f"https://{there}", tmp_path)
        assert {line.split(" HTTP/")[0] for line in proxy.lines} == {f"CONNECT {there}"}
        proxy.lines.clear()
        monkeypatch.setenv("NO_PROXY", "127.0.0.1,.internal")
        await use(client, f"https://{there}", tmp_path)
        assert proxy.lines == []


@pytest.mark.parametrize("client", CLIENTS, ids=lambda one: one.__name__)
async def test_a_client_trusts_what_ssl_cert_file_says(
    client: Use, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls = an_authority_of_its_own(tmp_path)
    async with listening(OK, tls) as server:
        url = f"https://127.0.0.1:{server.port}"
        await use(client, url, tmp_path)
        assert server.lines == [], "an authority that nobody knows"
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        for name, value in trusted(os.environ).items():
            monkeypatch.setenv(name, value)
        await use(client, url, tmp_path)
        assert server.lines


def an_authority_of_its_own(folder: Path) -> ssl.SSLContext:
    """Write `ca.pem`; return the TLS of a server on 127.0.0.1 that it vouches for."""
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)

    def certificate(
        name: str, issuer: str, key: ec.EllipticCurvePrivateKey
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - day)
            .not_valid_after(now + day)
        )

    authority, own = (
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP256R1()),
    )
    identifier = x509.SubjectKeyIdentifier.from_public_key(authority.public_key())
    usage = x509.KeyUsage(*(False,) * 5, True, True, *(False,) * 2)
    root = (
        certificate("test authority", "test authority", authority)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(identifier, critical=False)
        .sign(authority, hashes.SHA256())
    )
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    leaf = (
        certificate("127.0.0.1", "test authority", own)
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier),
            critical=False,
        )
        .sign(authority, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "ca.pem").write_bytes(root.public_bytes(pem))
    (folder / "server.pem").write_bytes(
        own.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + leaf.public_bytes(pem)
    )
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / "server.pem")
    return tls


KNOWN_MAKERS = {
    "kubernetes_calls.py",
    "exchange.py",
    "mcp_caller.py",
    "remote.py",
    "aws_calls.py",
    "cloudwatch_alarms.py",
    "sqs_alarms.py",
    "web.py",
    "base.py",
    "kubernetes_forward.py",  # by the proxy of the client that it belongs to
    "forwarding.py",  # from replica to replica, which no proxy is between
    "sigv4.py",  # credentials only; botocore asks for them as aws_calls does
}
"""Where clients are made; each is used above."""

MAKERS = {"ApiClient", "AsyncClient", "AsyncHTTPTransport", "ClientSession", "Session", "client"}


def test_no_client_is_made_that_is_not_looked_at_here() -> None:
    found = set()
    for path in SOURCE.rglob("*.py"):
        if "lab" in path.relative_to(SOURCE).parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                called = node.func
                name = (
                    called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
                )
                if name in MAKERS:
                    found.add(path.name)
    assert found == KNOWN_MAKERS
