"""What a change would do, by the API server's word: the same write, sent with `dryRun=All`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from petops.actuators import evicting, resizing, scaling
from petops.actuators.patching import (
    CONFLICT,
    TRIES,
    is_not_allowed,
    patch_of,
    read,
    send,
)
from petops.domain.change import (
    Act,
    DrainNode,
    DryRun,
    EvictPod,
    SetCpuLimit,
    SetHpa,
    SetMemoryLimit,
    applied,
    diff,
    differs,
    hpa_spec,
    own_edits,
    pod_edits,
    target,
)
from petops.domain.editing import unmade
from petops.errors import OutcomeUnknownError, SourceError
from petops.ports import ApiAnswer, KubernetesCalls

Json = Any

_REFUSED: Final = frozenset({400, 403, 404, 409, 422})
_HELD_BACK: Final = 429
_BY_WEBHOOK: Final = "webhook"
_NO_DRY_RUN: Final = "does not support dry run"


async def dry_run(calls: KubernetesCalls, change: Act) -> DryRun:
    """Return what would be different after the change; a refusal is an answer too."""
    try:
        match change:
            case SetHpa(was=None):
                answer = await scaling.create(calls, change, "dry-run", dry_run=True)
                lines = diff({}, {"spec": hpa_spec(change)})
                return _meaning(answer, lines, lines, str(target(change)))
            case SetHpa(to=None):
                return _known(f"- {target(change)}", "nothing else is touched")
            case EvictPod():
                answer = await evicting.evict(calls, evicting.the_pod(change), dry_run=True)
                lines = (f"- {change.subject}",)
                if answer.status == _HELD_BACK:
                    return DryRun(diff=(), by_server=True, refused=evicting.held_by(answer))
                return _meaning(answer, lines, lines, str(change.subject))
            case SetCpuLimit() | SetMemoryLimit() if change.pods:
                return await _in_place(calls, change)
            case _:
                return await _patched(calls, change)
    except OutcomeUnknownError as exc:  # nothing is ever stored by a dry run
        raise SourceError(f"the dry run had no answer: {exc.message}", hint=exc.hint) from exc


def _known(line: str, note: str) -> DryRun:
    return DryRun(diff=(line,), by_server=False, note=note)


async def _patched(calls: KubernetesCalls, change: Act) -> DryRun:
    found = await read(calls, change)
    for _ in range(TRIES):
        if why := differs(found, change):
            return DryRun(diff=(), by_server=False, refused=why)
        answer = await send(calls, change, patch_of(found, change, "dry-run"), dry_run=True)
        if answer.status != CONFLICT:
            more = _evictions(change)
            here = (*_spec_diff(found, applied(found, change)), *more)
            by_server = here
            if answer.failure("") is None:
                if place := unmade(answer.body, own_edits(change)):
                    why = f"the server would make something else of it, at {place}"
                    return DryRun(diff=(), by_server=True, refused=why)
                by_server = (*_spec_diff(found, answer.body), *more)
            return _meaning(answer, by_server, here, str(target(change)))
        found = await read(calls, change)
    raise SourceError(f"{target(change)} is being written too often to try the change on it")


def _evictions(change: Act) -> tuple[str, ...]:
    return tuple(f"- Pod {one}" for one in change.pods) if isinstance(change, DrainNode) else ()


async def _in_place(calls: KubernetesCalls, change: SetCpuLimit | SetMemoryLimit) -> DryRun:
    """Try it on the first pod; the others are of the same template."""
    if why := differs(await read(calls, change), change):
        return DryRun(diff=(), by_server=False, refused=why)
    if why := await resizing.changed_since(calls, change) or "":
        return DryRun(diff=(), by_server=False, refused=why)
    answer = await resizing.tried(calls, change)
    (edit,) = pod_edits(change)
    lines = tuple(
        line
        for one in change.pods
        for line in (f"Pod {one}  {'.'.join(edit.path[1:])}", f"- {edit.was}", f"+ {edit.to}")
    )
    if answer is None:
        return DryRun(diff=(), by_server=False, refused="none of its pods is there any more")
    return _meaning(answer, lines, lines, str(target(change)))


def _meaning(
    answer: ApiAnswer, by_server: tuple[str, ...], here: tuple[str, ...], what: str
) -> DryRun:
    failure = answer.failure(what)
    if failure is None:
        return DryRun(diff=by_server, by_server=True)
    if is_not_allowed(answer):
        note = "petops may not make it, so the server was not asked"
        return DryRun(diff=here, by_server=False, note=note)
    if _NO_DRY_RUN in answer.message:
        note = f"the server cannot try it: {answer.message}"
        return DryRun(diff=here, by_server=False, note=note)
    if answer.status in _REFUSED or _BY_WEBHOOK in answer.message:
        return DryRun(diff=(), by_server=True, refused=answer.message)
    raise failure


def _spec_diff(before: Mapping[str, Json], after: Mapping[str, Json]) -> tuple[str, ...]:
    """Return the difference of the specifications: all else is the server's own book-keeping."""
    return diff({"spec": before.get("spec")}, {"spec": after.get("spec")})
