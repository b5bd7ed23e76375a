"""AWS' JSON protocols on one path: which operation is meant stands in `X-Amz-Target`."""

from __future__ import annotations

import inspect
import uuid
import zlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from petops.lab.aws_requests import AwsRefusalError, read_json

Answer = dict[str, Any]
Operation = Callable[[Mapping[str, Any]], Answer | Awaitable[Answer]]

_MOST_BYTES: Final = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonService:
    """One service: how its targets begin, its version of JSON, its operations."""

    target: str
    version: str
    operations: Mapping[str, Operation]
    error_prefix: str = ""


def json_route(services: tuple[JsonService, ...]) -> Route:
    """Return the route that all of these share."""
    by_target = {one.target: one for one in services}

    async def answered(request: Request) -> Response:
        target, _, name = request.headers.get("x-amz-target", "").rpartition(".")
        service = by_target.get(target)
        if service is None:
            return _refused(services[0], _unknown(name or "a request without X-Amz-Target"))
        operation = service.operations.get(name)
        if operation is None:
            return _refused(service, _unknown(name))
        try:
            found = operation(read_json(await _body(request)))
            made = await found if inspect.isawaitable(found) else found
        except AwsRefusalError as exc:
            return _refused(service, exc)
        return JSONResponse(made, headers=_headers(service))

    return Route("/", answered, methods=["POST"])


def _unknown(name: str) -> AwsRefusalError:
    return AwsRefusalError("UnknownOperationException", f"The lab does not serve {name[:100]}", 404)


async def _body(request: Request) -> bytes:
    """Return a request's body, unpacked if it came packed; refuse one that is too big."""
    found = bytearray()
    try:
        async for piece in request.stream():
            found += piece
            if len(found) > _MOST_BYTES:
                raise AwsRefusalError("RequestEntityTooLarge", "the body is too big", 413)
    except ClientDisconnect:
        raise AwsRefusalError("SerializationException", "the body did not come whole") from None
    if request.headers.get("content-encoding") != "gzip":
        return bytes(found)
    unpacking = zlib.decompressobj(wbits=31)
    try:
        unpacked = unpacking.decompress(bytes(found), _MOST_BYTES)
    except zlib.error:
        raise AwsRefusalError("SerializationException", "the body is no gzip") from None
    if unpacking.unconsumed_tail:
        raise AwsRefusalError("RequestEntityTooLarge", "the body is too big", 413)
    return unpacked


def _headers(service: JsonService) -> dict[str, str]:
    return {
        "content-type": f"application/x-amz-json-{service.version}",
        "x-amzn-requestid": str(uuid.uuid4()),
    }


def _refused(service: JsonService, exc: AwsRefusalError) -> JSONResponse:
    headers = _headers(service)
    if service.error_prefix:  # clients that grew up with the query protocol look for its code
        headers["x-amzn-query-error"] = f"{exc.code};Sender"
    body = {"__type": service.error_prefix + exc.code, "message": exc.message}
    return JSONResponse(body, status_code=exc.status, headers=headers)
