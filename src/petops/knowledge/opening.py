"""Opens an organisation's own sources for as long as an engine runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from typing import Any, Final

from petops.errors import UsageError
from petops.knowledge.base import OwnSource

OPEN_SECONDS: Final = 10.0


async def opened(
    sources: Mapping[str, OwnSource],
    tables: Iterable[Mapping[str, Any]],
    stack: AsyncExitStack,
    say: Callable[[str], None],
) -> Mapping[str, object]:
    """Return each source, open, by its name. One that does not open is said and left out."""
    by_name = {str(one.get("name", "")): one for one in tables}
    for name in by_name:
        if name not in sources:
            known = ", ".join(sorted(sources)) or "none"
            raise UsageError(
                f"there is no source {name[:40]!r} for [[source]]", hint=f"known: {known}"
            )
    found = {}
    for name, source in sources.items():
        given = {key: value for key, value in by_name.get(name, {}).items() if key != "name"}
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                found[name] = await stack.enter_async_context(source.open(given))
        except Exception as exc:  # it is the code of others
            say(f"source {name} does not open: {type(exc).__name__}: {exc}"[:300])
    return found
