"""Whose token it is, by Kubernetes' own word: TokenReview."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from petops.domain.policy import Identity
from petops.errors import SourceError
from petops.ports import KubernetesCalls

CHANNEL: Final = "kubernetes"
_REVIEWS: Final = "/apis/authentication.k8s.io/v1/tokenreviews"


class TokenReviews:
    """Asks who stands behind a token; the token goes to the API server and nowhere else."""

    def __init__(self, calls: KubernetesCalls, audience: str = "") -> None:
        self._calls = calls
        self._audience = audience

    async def __call__(self, token: str) -> Identity | None:
        """Return whose token it is; None for a forged, expired or foreign one."""
        spec: dict[str, object] = {"token": token}
        if self._audience:
            spec["audiences"] = [self._audience]
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec}
        answer = await self._calls.request("POST", _REVIEWS, body=body)
        failure = answer.failure("TokenReview")
        if failure is not None:
            raise failure
        status = answer.body.get("status") if isinstance(answer.body, Mapping) else None
        if not isinstance(status, Mapping):
            raise SourceError("what answers for Kubernetes is no API server")
        user = status.get("user")
        if status.get("authenticated") is not True or not isinstance(user, Mapping):
            return None
        if self._audience and self._audience not in (status.get("audiences") or ()):
            return None
        groups = tuple(str(one) for one in user.get("groups") or ())
        return Identity(user=str(user.get("username") or ""), channel=CHANNEL, groups=groups)
