"""One change as one guarded patch of one object, and what the API server's answers to it mean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from petops.domain.change import ACT_ANNOTATION, Act, applied, merge_patch
from petops.errors import OutcomeUnknownError, SourceError
from petops.ports import ApiAnswer, KubernetesCalls, object_path

Json = Any

TRIES: Final = 4
"""The first, and three more while only the object's status moves under the patch."""

CONFLICT: Final = 409
_BROKEN: Final = 500
_MERGE: Final = "application/merge-patch+json"
_NOT_ALLOWED: Final = re.compile(r'User "[^"]*" cannot \w+ resource')
_BY_WEBHOOK: Final = re.compile(r"failed calling webhook|admission webhook")


async def read(calls: KubernetesCalls, change: Act) -> Mapping[str, Json]:
    """Return the change's object as it is now."""
    answer = await calls.request("GET", object_path(change.subject))
    if failure := answer.failure(str(change.subject)):
        raise failure
    if not isinstance(answer.body, Mapping) or "metadata" not in answer.body:
        raise SourceError("what answers for Kubernetes is no API server")
    return answer.body


def act_of(found: Mapping[str, Json]) -> str | None:
    """Return the act that the object carries."""
    act: str | None = (found["metadata"].get("annotations") or {}).get(ACT_ANNOTATION)
    return act


def patch_of(found: Mapping[str, Json], change: Act, act: str) -> Json:
    """Return the merge patch that makes the change of exactly the object that was read."""
    after = applied(found, change)
    metadata = after["metadata"]
    metadata["annotations"] = {**(metadata.get("annotations") or {}), ACT_ANNOTATION: act}
    patch = merge_patch(found, after)
    patch["metadata"] |= {
        "uid": found["metadata"]["uid"],
        "resourceVersion": found["metadata"]["resourceVersion"],
    }
    return patch


async def send(
    calls: KubernetesCalls, change: Act, patch: Json, *, dry_run: bool = False
) -> ApiAnswer:
    """Send the patch; return the answer, or raise OutcomeUnknownError where none came."""
    query = {"fieldManager": "petops", **({"dryRun": "All"} if dry_run else {})}
    return await calls.request(
        "PATCH", object_path(change.subject), query=query, body=patch, content_type=_MERGE
    )


def is_not_allowed(answer: ApiAnswer) -> bool:
    """Say whether petops lacks the permission; a webhook's or a quota's 403 is another matter."""
    return answer.status == 403 and bool(_NOT_ALLOWED.search(answer.message))


def failure_of(answer: ApiAnswer, change: Act) -> SourceError | OutcomeUnknownError | None:
    """Return what the answer to a patch means.

    A server that breaks down may have stored the change before; only what is refused on admission,
    or before it was looked at, has certainly not happened.
    """
    if answer.status >= _BROKEN and not _BY_WEBHOOK.search(answer.message):
        return OutcomeUnknownError(
            f"Kubernetes answered {answer.status} to the change of {change.subject}:"
            f" {answer.message}"
        )
    if answer.status in {400, 403, 422} and not is_not_allowed(answer):
        return SourceError(f"Kubernetes refused the change of {change.subject}: {answer.message}")
    return answer.failure(str(change.subject))
