"""What a change would do, by the API server's word: the same patch, sent with `dryRun=All`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from petops.actuators.patching import CONFLICT, TRIES, is_not_allowed, patch_of, read, send
from petops.domain.change import Act, DryRun, applied, diff, differs
from petops.errors import OutcomeUnknownError, SourceError
from petops.ports import ApiAnswer, KubernetesCalls

Json = Any

_REFUSED: Final = frozenset({400, 403, 422})
_BY_WEBHOOK: Final = "webhook"
_NO_DRY_RUN: Final = "does not support dry run"


async def dry_run(calls: KubernetesCalls, change: Act) -> DryRun:
    """Return the object's spec before and after; a refusal is an answer too."""
    found = await read(calls, change)
    for _ in range(TRIES):
        if why := differs(found, change):
            return DryRun(diff=(), by_server=False, refused=why)
        answer = await _asked(calls, change, patch_of(found, change, "dry-run"))
        if answer.status != CONFLICT:
            return _meaning(answer, found, change)
        found = await read(calls, change)
    raise SourceError(f"{change.subject} is being written too often to try the change on it")


async def _asked(calls: KubernetesCalls, change: Act, patch: Json) -> ApiAnswer:
    try:
        return await send(calls, change, patch, dry_run=True)
    except OutcomeUnknownError as exc:  # nothing is ever stored by a dry run
        raise SourceError(f"the dry run had no answer: {exc.message}", hint=exc.hint) from exc


def _meaning(answer: ApiAnswer, found: Mapping[str, Json], change: Act) -> DryRun:
    failure = answer.failure(str(change.subject))
    if failure is None:
        return DryRun(diff=_spec_diff(found, answer.body), by_server=True)
    if is_not_allowed(answer):
        return _computed(found, change, "petops may not patch it, so the server was not asked")
    if _NO_DRY_RUN in answer.message:
        return _computed(found, change, f"the server cannot try it: {answer.message}")
    if answer.status in _REFUSED or _BY_WEBHOOK in answer.message:
        return DryRun(diff=(), by_server=True, refused=answer.message)
    raise failure


def _computed(found: Mapping[str, Json], change: Act, note: str) -> DryRun:
    return DryRun(diff=_spec_diff(found, applied(found, change)), by_server=False, note=note)


def _spec_diff(before: Mapping[str, Json], after: Mapping[str, Json]) -> tuple[str, ...]:
    """Return the difference of the specifications: all else is the server's own book-keeping."""
    return diff({"spec": before.get("spec")}, {"spec": after.get("spec")})
