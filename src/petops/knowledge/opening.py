"""Opens an organisation's own sources for as long as an engine runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, Final

from petops.knowledge.base import OwnSource
from petops.knowledge.guarding import FAILURES

OPEN_SECONDS: Final = 10.0
CLOSE_SECONDS: Final = 5.0

_CHECK: Final = "look at its [[source]] table and at its open()"

Say = Callable[[str], None]


async def opened(
    sources: Mapping[str, OwnSource],
    tables: Iterable[Mapping[str, Any]],
    stack: AsyncExitStack,
    say: Say,
) -> Mapping[str, object]:
    """Return each source, open, by its name. One that does not open is said and left out.

    So is a table of the settings for a source that there is not: its package may have failed.
    """
    by_name = {str(one.get("name", "")): one for one in tables}
    for trouble in strange_tables(by_name, sources):
        say(trouble)
    found = {}
    for name, source in sources.items():
        given = {key: value for key, value in by_name.get(name, {}).items() if key != "name"}
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                context = source.open(given)
                found[name] = await context.__aenter__()
        except TimeoutError:
            say(f"source {name} does not open: no answer within {OPEN_SECONDS:g} s; {_CHECK}")
        except FAILURES as exc:  # it is the code of others
            said = " ".join(f"{type(exc).__name__}: {exc}".split())[:300]
            say(f"source {name} does not open: {said}; {_CHECK}")
        else:
            stack.push_async_exit(_closing(name, context, say))
    return found


def strange_tables(names: Iterable[str], sources: Iterable[str]) -> tuple[str, ...]:
    """Return a sentence for each [[source]] table that no source is there for."""
    known = ", ".join(sorted(sources)) or "none"
    every = frozenset(sources)
    return tuple(
        f"there is no source {name[:40]!r} for its [[source]] table; known: {known}"
        for name in names
        if name not in every
    )


def _closing(name: str, context: AbstractAsyncContextManager[Any], say: Say) -> Any:
    """Return what closes the source: neither its failure nor its slowness keeps petops up."""

    async def close(*_: object) -> None:
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await context.__aexit__(None, None, None)
        except FAILURES as exc:
            say(f"source {name} does not close: {type(exc).__name__}: {exc}"[:300])

    return close
