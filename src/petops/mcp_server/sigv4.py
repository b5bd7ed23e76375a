"""Requests signed by AWS Signature Version 4, as Amazon Managed Prometheus wants them.

botocore signs; credentials come from where every AWS program takes them (IRSA, Pod Identity,
profile, variables), and are taken anew for each request, since they expire.
"""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import urlsplit

from requests import PreparedRequest
from requests.auth import AuthBase

from petops.errors import SourceError

SERVICE: Final = "aps"
_WORKSPACE: Final = re.compile(r"aps-workspaces(?:-fips)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?")
# What a proxy may change on the way must not be signed.
_SIGNED: Final = ("content-type", "accept")


def region_of(url: str) -> str:
    """Return the region of an Amazon Managed Prometheus address; empty for any other address."""
    found = _WORKSPACE.fullmatch(urlsplit(url).hostname or "")
    return found[1] if found else ""


class SigV4(AuthBase):
    """Signs each request for `service` in `region`; `credentials` is botocore's own by default."""

    def __init__(self, region: str, *, service: str = SERVICE, credentials: Any = None) -> None:
        self._region = region
        self._service = service
        self._credentials = credentials

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Return the request with its signature; raise SourceError where nobody can sign."""
        # botocore takes longer to load than most questions to answer, and few need it.
        from botocore.auth import SigV4Auth  # noqa: PLC0415
        from botocore.awsrequest import AWSRequest  # noqa: PLC0415
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415
        from botocore.session import Session  # noqa: PLC0415

        try:
            credentials = self._credentials or Session().get_credentials()
            if credentials is None:
                raise SourceError(
                    "there are no AWS credentials to sign requests to Prometheus with",
                    hint="see whether `aws sts get-caller-identity` works here",
                )
            self._credentials = credentials
            frozen = credentials.get_frozen_credentials()
        except BotoCoreError as exc:
            raise SourceError(f"AWS credentials cannot be had: {exc}") from exc
        headers = {
            name: value for name, value in request.headers.items() if name.lower() in _SIGNED
        }
        unsigned = AWSRequest(
            method=request.method, url=request.url, data=request.body, headers=headers
        )
        SigV4Auth(frozen, self._service, self._region).add_auth(unsigned)
        for name in ("Authorization", "X-Amz-Date", "X-Amz-Security-Token"):
            if name in unsigned.headers:
                request.headers[name] = unsigned.headers[name]
        return request
