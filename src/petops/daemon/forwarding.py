"""Hands a request on to the replica that leads, as it came; its token says there who sent it."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from petops.daemon.serves import ElsewhereError

_SECONDS: Final = 25.0
_LONGEST_ANSWER: Final = 16 * 1024 * 1024
_FORWARDED: Final = "x-petops-forwarded"


async def forwarded(request: Request, body: bytes, elsewhere: ElsewhereError) -> Response:
    """Return what the leading replica answers; 503 with where it is where it cannot be asked."""
    import httpx2  # noqa: PLC0415 (late: most daemons lead)

    token = request.headers.get("authorization", "")
    head = {"Retry-After": "2"}
    if elsewhere.address:
        head["Location"] = f"{elsewhere.address}{request.url.path}"
    told = {"error": elsewhere.message, "hint": elsewhere.hint}
    if not elsewhere.address or not token or _FORWARDED in request.headers:
        return JSONResponse(told, 503, headers=head)
    sent = {"Authorization": token, "Content-Type": "application/json", _FORWARDED: "1"}
    try:
        async with httpx2.AsyncClient(timeout=_SECONDS, trust_env=False) as client:
            answer = await client.post(
                f"{elsewhere.address}{request.url.path}", content=body, headers=sent
            )
    except (httpx2.HTTPError, httpx2.InvalidURL):
        return JSONResponse(told, 503, headers=head)
    kind = answer.headers.get("content-type", "application/json")
    return Response(answer.content[:_LONGEST_ANSWER], answer.status_code, media_type=kind)
