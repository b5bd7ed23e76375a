"""Calls to a Kubernetes API server by way of `kubernetes.aio`, in raw JSON.

The vendor's typed models cost the event loop ten times what the JSON does, so none are used.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from petops.config.network import proxy_for
from petops.domain.subject import ClusterName
from petops.errors import OutcomeUnknownError, PetopsError, SourceError
from petops.ports import ApiAnswer
from petops.sources.kubernetes_credentials import Reload, credentials

_READS: Final = frozenset({"GET", "HEAD"})


class AioCalls:
    """`KubernetesCalls` on an `ApiClient`; `reload` reads the credentials anew once they expire."""

    def __init__(
        self,
        client: Any,
        *,
        cluster: ClusterName,
        reload: Reload | None = None,
        seconds: float = 10,
    ) -> None:
        self.cluster = cluster
        self._client = client
        self._reload = reload
        self._reloading = asyncio.Lock()
        self._seconds = seconds

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str | None = None,
    ) -> ApiAnswer:
        token = self._token()
        answer = await self._send(method, path, query, body, content_type)
        if answer.status != 401 or self._reload is None:
            return answer
        async with self._reloading:
            if self._token() == token:  # else another request has just done it
                await self._reload()
        return await self._send(method, path, query, body, content_type)

    @property
    def proxy(self) -> str | None:
        """The proxy by which the API server is reached."""
        found: str | None = self._client.configuration.proxy
        return found

    async def websocket(
        self, path: str, query: Mapping[str, str]
    ) -> tuple[str, Mapping[str, str], Any]:
        """Return where a WebSocket is opened, with which headers, and the TLS context."""
        _, url, header, _, _ = await self._client.param_serialize(
            "GET",
            path,
            query_params=list(query.items()),
            header_params={},
            auth_settings=["BearerToken"],
        )
        secure = url.startswith("https:")
        return url, header, self._client.rest_client.ssl_context if secure else False

    @property
    def own_token(self) -> str:
        """The bearer token with which we are known here; empty where it is a certificate."""
        return self._token().removeprefix("Bearer ").strip()

    async def renewed_token(self) -> str:
        """Return our token, read anew: one of `aws eks get-token` lasts a quarter of an hour."""
        if self._reload is not None:
            async with self._reloading:
                await self._reload()
        return self.own_token

    def _token(self) -> str:
        return str(self._client.configuration.api_key.get("BearerToken", ""))

    async def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Any,
        content_type: str | None,
    ) -> ApiAnswer:
        import aiohttp  # noqa: PLC0415 - comes with the client, and costs as much

        headers = {"Accept": "application/json", "Content-Type": content_type or "application/json"}
        try:
            verb, url, header, sent, _ = await self._client.param_serialize(
                method,
                path,
                query_params=list((query or {}).items()),
                header_params=headers,
                body=body,
                auth_settings=["BearerToken"],
            )
            timeout = aiohttp.ClientTimeout(total=self._seconds)
            answer = await self._client.call_api(verb, url, header, sent, _request_timeout=timeout)
            raw: bytes = await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            raise _problem(exc, method, self._client.configuration.host, self._seconds) from exc
        return ApiAnswer(status=answer.status, body=_json(raw, _type_of(answer)))


def _type_of(answer: Any) -> str:
    headers: Mapping[str, str] = getattr(answer, "headers", None) or {}
    return str(headers.get("Content-Type") or "")


def _json(raw: bytes, content_type: str = "") -> Any:
    """Return the JSON, or the text where it is none: an unknown API group answers in plain text.

    A log may be one line that happens to be JSON; it is text all the same.
    """
    if content_type.startswith("text/plain"):
        return raw.decode("utf-8", "replace")
    try:
        return json.loads(raw)
    except ValueError:
        return raw.decode("utf-8", "replace")


def _problem(exc: Exception, method: str, host: str, seconds: float) -> PetopsError:
    """Say what a failed call means: for an act it matters whether it can have arrived."""
    import aiohttp  # noqa: PLC0415

    hint = "is the address in the kubeconfig right, and can this machine reach it?"
    match exc:
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            return SourceError(
                f"the TLS certificate of {host} is not trusted: {exc}",
                hint="see certificate-authority in the kubeconfig, and the clock of this machine",
            )
        case aiohttp.ClientConnectorDNSError():
            return SourceError(f"the name of {host} is not known here", hint=hint)
        case aiohttp.ClientConnectorError() | aiohttp.ConnectionTimeoutError():
            return SourceError(f"Kubernetes at {host} cannot be reached: {exc}", hint=hint)
        case aiohttp.InvalidURL():
            return SourceError(f"{host} is no address of an API server", hint=hint)
    what = (
        f"did not answer within {seconds:g} s"
        if isinstance(exc, TimeoutError)
        else f"broke the connection: {exc}"
    )
    if method in _READS:
        return SourceError(f"Kubernetes at {host} {what}", hint="petops doctor")
    return OutcomeUnknownError(f"Kubernetes at {host} {what}; the {method} may have been done")


@asynccontextmanager
async def open_calls(
    *, kubeconfig: str = "", context: str = "", seconds: float = 10
) -> AsyncIterator[AioCalls]:
    """Connect by the kubeconfig, or in a pod without one by its own account, until the end.

    Nothing is sent yet: a cluster that is away is found out by the first call.
    """
    from kubernetes.aio.client.api_client import ApiClient  # noqa: PLC0415 - 0.4 s
    from kubernetes.aio.client.configuration import Configuration  # noqa: PLC0415

    configuration = Configuration()
    configuration.retries = None  # any number, 0 and False too, repeats calls behind our back
    cluster, reload = await credentials(kubeconfig, context, configuration)
    if not configuration.proxy:  # the kubeconfig's own `proxy-url` comes first, as in kubectl
        configuration.proxy = proxy_for(configuration.host)
    try:
        opened = ApiClient(configuration)
    except (OSError, ValueError) as exc:
        raise SourceError(
            f"the certificates for Kubernetes cannot be used: {exc}",
            hint="see certificate-authority and client-certificate in the kubeconfig",
        ) from exc
    async with opened as client:
        client.user_agent = "petops"
        yield AioCalls(client, cluster=cluster, reload=reload, seconds=seconds)
