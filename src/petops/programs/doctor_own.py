"""Could all be loaded that the organisation adds?"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from petops import knowledge
from petops.config import Settings
from petops.knowledge.opening import strange_tables
from petops.programs.catalogue import problems_of
from petops.programs.doctor_check import Check, off, ok, warning

OWN: Final = "own knowledge"
NAMES: Final = (OWN,)


async def look(settings: Settings) -> Sequence[Check]:
    """Load it as an engine does; what is wrong is told, the rest works without it."""
    chosen = settings.knowledge
    own = await asyncio.to_thread(knowledge.loaded, chosen.folder, packages=chosen.packages)
    tables = (str(one.get("name", "")) for one in settings.source)
    wrong = [
        *own.troubles,
        *strange_tables(tables, own.sources),
        *(f"runbook {one.name}: {said}" for one in own.runbooks for said in problems_of(one, own)),
    ]
    if wrong:
        more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        return (warning(OWN, wrong[0] + more, "petops runbooks check"),)
    counts = {
        ("failure mode", "failure modes"): len(own.modes),
        ("remedy", "remedies"): len(own.remedies),
        ("source", "sources"): len(own.sources),
        ("runbook", "runbooks"): len(own.runbooks),
    }
    told = ", ".join(f"{count} {of[count > 1]}" for of, count in counts.items() if count)
    return (ok(OWN, told),) if told else (off(OWN, "none is installed, and no folder is set"),)
