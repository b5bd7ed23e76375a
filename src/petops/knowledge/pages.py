"""Runbooks: Markdown with front matter. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, Final

import yaml

from petops.domain.runbook import MOST_CHARACTERS, Runbook
from petops.errors import UsageError

_FENCE: Final = "---"
_KNOWN: Final = ("title", "mode", "modes", "steps", "remedies", "namespaces", "names")
_EXAMPLES: Final = {
    "steps": "[container-stops]",
    "remedies": "[restart-workload]",
    "namespaces": "[shop]",
    "names": '["checkout*"]',
}
MOST_NAMES: Final = 100
_EXAMPLE: Final = (
    "begin with ---, title: …, mode: memory-leak, ---; docs/own-knowledge.md shows one"
)


def parsed(text: str, *, name: str, origin: str) -> Runbook:
    """Return the runbook; raise UsageError with the first thing that is wrong with it."""
    front, body = _parts(text, origin)
    for key in front:
        if key not in _KNOWN:
            near = difflib.get_close_matches(str(key), _KNOWN, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(_KNOWN)}"
            raise UsageError(
                f"{origin}: {str(key)[:40]!r} is nothing that a runbook says", hint=hint
            )
    modes = (*_names(front, "mode", origin), *_names(front, "modes", origin))
    if not modes:
        raise UsageError(f"{origin} names no failure mode", hint=_EXAMPLE)
    if not body.strip():
        raise UsageError(
            f"{origin} has no text under its front matter", hint="write what a person is to do"
        )
    if len(body) > MOST_CHARACTERS:
        raise UsageError(
            f"{origin} has {len(body)} characters, over {MOST_CHARACTERS}",
            hint="link to the long version",
        )
    title = front.get("title", "")
    if not isinstance(title, str):
        raise UsageError(f"{origin}: its title must be text", hint="put it in quotes")
    return Runbook(
        name=name,
        title=(title or _heading(body) or name)[:200],
        modes=modes,
        steps=_names(front, "steps", origin),
        remedies=_names(front, "remedies", origin),
        namespaces=_names(front, "namespaces", origin) or ("*",),
        names=_names(front, "names", origin) or ("*",),
        text=body.strip() + "\n",
        origin=origin,
    )


def _parts(text: str, origin: str) -> tuple[Mapping[str, Any], str]:
    """Return front matter and text."""
    lines = text.removeprefix("\ufeff").splitlines()
    rest = lines[1:]
    if not lines or lines[0].strip() != _FENCE or _FENCE not in [one.strip() for one in rest]:
        raise UsageError(f"{origin} has no front matter", hint=_EXAMPLE)
    end = [one.strip() for one in rest].index(_FENCE)
    try:
        found = yaml.safe_load("\n".join(rest[:end])) or {}
    except (yaml.YAMLError, ValueError, RecursionError) as exc:  # ValueError: 2026-13-45
        where = " ".join(str(exc).split())[:200]
        raise UsageError(f"{origin}: its front matter is no YAML: {where}", hint=_EXAMPLE) from exc
    if not isinstance(found, dict):
        raise UsageError(f"{origin}: its front matter is no table", hint=_EXAMPLE)
    return found, "\n".join(rest[end + 1 :])


def _names(front: Mapping[str, Any], key: str, origin: str) -> tuple[str, ...]:
    """Return one name or a list of them."""
    given = front.get(key)
    if given is None:
        return ()
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, list) or not all(isinstance(one, str) and one for one in names):
        raise UsageError(
            f"{origin}: {key} must be a name or a list of names",
            hint=f"for example {key}: {_EXAMPLES.get(key, 'memory-leak')}",
        )
    if len(names) > MOST_NAMES:
        raise UsageError(
            f"{origin}: {key} has {len(names)} names, over {MOST_NAMES}", hint="use a pattern"
        )
    return tuple(names)


def _heading(body: str) -> str:
    return next((one.lstrip("# ") for one in body.splitlines() if one.startswith("#")), "")
