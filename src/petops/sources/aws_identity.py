"""Who petops is at AWS, how it came to be that, and what time it is there."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from petops.sources.aws_calls import HASTY, AwsCalls

_WAYS: Final = {
    "assume-role-with-web-identity": "IRSA (the ServiceAccount's own token)",
    "container-role": "EKS Pod Identity, or a task's role",
    "iam-role": "the node's own role",
    "env": "variables",
    "shared-credentials-file": "a profile",
    "config-file": "a profile",
    "sso": "a profile (SSO)",
    "login": "a profile (aws login)",
    "assume-role": "a profile that assumes a role",
    "custom-process": "a program that a profile names",
}
NODE_ROLE: Final = "iam-role"


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsIdentity:
    """What STS says. `method` is botocore's name of where the credentials come from."""

    account: str
    arn: str
    method: str
    at: datetime | None

    @property
    def way(self) -> str:
        """Where the credentials come from, for people to read."""
        return _WAYS.get(self.method, self.method)


async def identity(region: str, *, seconds: float = 8.0) -> AwsIdentity:
    """Ask STS who we are; raise SourceError, ForbiddenError where there are no credentials."""
    async with AwsCalls(
        "sts", "STS", region=region, timeout_seconds=seconds, patience=HASTY
    ) as sts:
        answer = await sts.call("get_caller_identity")
    return AwsIdentity(
        account=str(answer["Account"]),
        arn=str(answer["Arn"]),
        method=await asyncio.to_thread(_method),
        at=date_of(answer),
    )


def date_of(answer: Any) -> datetime | None:
    """Return the server's time by the Date header of its answer; None where it has none."""
    headers = (answer.get("ResponseMetadata") or {}).get("HTTPHeaders") or {}
    try:
        return parsedate_to_datetime(headers["date"]).astimezone(UTC)
    except (KeyError, ValueError, TypeError):
        return None


def _method() -> str:
    from botocore.session import get_session  # noqa: PLC0415 - 0.4 s

    found = get_session().get_credentials()
    return str(found.method) if found is not None else "nothing"
