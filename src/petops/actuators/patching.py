"""One change as one guarded write of one object, and what the API server's answers to it mean."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from petops.domain.change import ACT_ANNOTATION, Act, Edit, merge_patch, own_edits, target
from petops.domain.editing import edited
from petops.errors import DeniedError, OutcomeUnknownError, SourceError
from petops.ports import ApiAnswer, KubernetesCalls, object_path

Json = Any

TRIES: Final = 4
"""The first, and three more while only the object's status moves under the patch."""

CONFLICT: Final = 409
MERGE: Final = "application/merge-patch+json"
MANAGER: Final = {"fieldManager": "petops"}
_TOO_MANY: Final = 429
_BROKEN: Final = 500
_NOT_ALLOWED: Final = re.compile(r'User "[^"]*" cannot \w+ resource')
_BY_WEBHOOK: Final = re.compile(r"failed calling webhook|admission webhook")


async def read(calls: KubernetesCalls, change: Act) -> Mapping[str, Json]:
    """Return the change's object as it is now."""
    return await read_at(calls, object_path(target(change)), str(target(change)))


async def read_at(calls: KubernetesCalls, path: str, what: str) -> Mapping[str, Json]:
    """Return the object at a path; raise NotThereError where there is none."""
    answer = await calls.request("GET", path)
    if failure := answer.failure(what):
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
    return guarded_patch(found, own_edits(change), act)


def guarded_patch(found: Mapping[str, Json], edits: Iterable[Edit], act: str) -> Json:
    """Return the merge patch that makes these edits of exactly the object that was read."""
    after = edited(found, edits)
    if act:
        metadata = after["metadata"]
        metadata["annotations"] = {**(metadata.get("annotations") or {}), ACT_ANNOTATION: act}
    patch = merge_patch(found, after)
    patch["metadata"] = patch.get("metadata", {}) | {
        "uid": found["metadata"]["uid"],
        "resourceVersion": found["metadata"]["resourceVersion"],
    }
    return patch


async def send(
    calls: KubernetesCalls, change: Act, patch: Json, *, dry_run: bool = False
) -> ApiAnswer:
    """Send the patch; return the answer, or raise OutcomeUnknownError where none came."""
    query = {**MANAGER, **({"dryRun": "All"} if dry_run else {})}
    path = object_path(target(change))
    return await calls.request("PATCH", path, query=query, body=patch, content_type=MERGE)


def is_not_allowed(answer: ApiAnswer) -> bool:
    """Say whether petops lacks the permission; a webhook's or a quota's 403 is another matter."""
    return answer.status == 403 and bool(_NOT_ALLOWED.search(answer.message))


def failure_of(answer: ApiAnswer, what: str) -> SourceError | OutcomeUnknownError | None:
    """Return what the answer to a write means.

    A server that breaks down may have stored the change before; only what is refused on admission,
    or before it was looked at, has certainly not happened.
    """
    if answer.status >= _BROKEN and not _BY_WEBHOOK.search(answer.message):
        return OutcomeUnknownError(
            f"Kubernetes answered {answer.status} to the change of {what}: {answer.message}"
        )
    if answer.status in {400, 403, 405, 422} and not is_not_allowed(answer):
        return DeniedError(f"Kubernetes refused the change of {what}: {answer.message}")
    if answer.status == _TOO_MANY:
        return SourceError(f"Kubernetes puts the change of {what} off (429): {answer.message}")
    return answer.failure(what)
