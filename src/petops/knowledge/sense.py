"""Whether what was brought has the shape that petops can work with, said in one sentence."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, Final

from petops.domain.change import Risk
from petops.engine.rounds import ALWAYS, THERE
from petops.knowledge.base import OwnSource
from petops.playbooks import MODES
from petops.playbooks.base import FailureMode, Step
from petops.remedies.base import Guard, Remedy

MOST_STEPS: Final = 20
_NAME: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_LONGEST_NAME: Final = 60
_LONGEST_TITLE: Final = 200

OUR_STEPS: Final[Mapping[str, Step[Any]]] = {
    step.name: step
    for step in (
        *ALWAYS,
        *(one for mode in MODES.values() for one in (*mode.steps, *mode.watch_steps)),
    )
}


def flaw(thing: object) -> str:
    """Return what is wrong with a thing that was brought; empty where nothing is."""
    match thing:
        case FailureMode():
            return _named(thing) or _of_mode(thing)
        case Remedy():
            return _named(thing) or _of_remedy(thing)
        case OwnSource():
            return _named(thing) or _opener(thing.open)
    return (
        f"a {type(thing).__name__} is no failure mode, remedy or source; "
        "make one with FailureMode(...), Remedy(...) or OwnSource(...)"
    )


def is_name(name: object) -> bool:
    """Say whether this is a name as petops' own are: lower case, words joined by hyphens."""
    fits = isinstance(name, str) and len(name) <= _LONGEST_NAME and _NAME.fullmatch(name)
    return bool(fits)


def _named(thing: FailureMode | Remedy | OwnSource) -> str:
    if is_name(thing.name):
        return ""
    return (
        f"{str(thing.name)[:40]!r} is no name; write lower case words with hyphens, "
        f"{_LONGEST_NAME} characters at most"
    )


def _of_mode(mode: FailureMode) -> str:
    return _first(
        *(_text(getattr(mode, key), key) for key in ("title", "watched")),
        *(
            _function(getattr(mode, key), key, is_async=False)
            for key in ("suspect", "conclude", "judge", "relapse_seconds")
        ),
        *(_steps(getattr(mode, key), key) for key in ("steps", "watch_steps")),
    )


def _of_remedy(remedy: Remedy) -> str:
    given: object = remedy.risk_in
    risks = (remedy.risk, *given.values()) if isinstance(given, Mapping) else ()
    if not risks or not all(isinstance(one, Risk) for one in risks):
        return "its risk must be one of Risk.GREEN, Risk.YELLOW, Risk.RED"
    guards: object = remedy.guards
    if not isinstance(guards, tuple) or not all(isinstance(one, Guard) for one in guards):
        return "its guards must be a tuple of guard(...); () adds none to petops' own"
    return _function(remedy.plan, "plan", is_async=False)


def _steps(given: object, key: str) -> str:
    if not isinstance(given, tuple) or len(given) > MOST_STEPS:
        return f"its {key} must be a tuple of at most {MOST_STEPS} steps"
    return _first(*(_step(one) for one in given))


def _step(given: object) -> str:
    if not isinstance(given, Step):
        name = getattr(given, "__name__", type(given).__name__)
        return f"{name} is no step; write @step(...) above an async function"
    if not is_name(given.name) or given.name.startswith(THERE):
        return f"{str(given.name)[:40]!r} is no name for a step; name its function otherwise"
    seconds: object = given.timeout_seconds
    if not isinstance(seconds, int | float) or not isfinite(seconds) or seconds <= 0:
        return f"the timeout_seconds of its step {given.name} must be above 0"
    ours = OUR_STEPS.get(given.name)
    if ours is not None and ours is not given:
        return f"petops has a step {given.name} already; give yours another name"
    return _text(given.question, f"question of {given.name}") or _function(
        given.ask, f"step {given.name}", is_async=True
    )


def _text(given: object, key: str) -> str:
    if not isinstance(given, str) or not given or not given.isprintable():
        return f"its {key} must be one line of text"
    return "" if len(given) <= _LONGEST_TITLE else f"its {key} is over {_LONGEST_TITLE} characters"


def _opener(given: object) -> str:
    fits = callable(given) and not _is_async(given) and not inspect.isasyncgenfunction(given)
    return "" if fits else "its open must be a function under @asynccontextmanager"


def _function(given: object, key: str, *, is_async: bool) -> str:
    if not callable(given):
        return f"its {key} must be a function"
    if _is_async(given) != is_async:
        return f"its {key} must be {'an async' if is_async else 'a plain'} function"
    return ""


def _is_async(given: Callable[..., object]) -> bool:
    called = getattr(given, "__call__", None)  # noqa: B004 - an object may have an async one
    return inspect.iscoroutinefunction(given) or inspect.iscoroutinefunction(called)


def _first(*found: str) -> str:
    return next((one for one in found if one), "")
