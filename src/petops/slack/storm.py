"""A storm is one message: which incidents it holds, and how it reads. Pure.

Whether an incident belongs to a storm follows from when incidents were opened, and from nothing
else, so that every engine on the same journal says the same of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from petops.domain.incident import Incident
from petops.domain.phases import OVER
from petops.slack.blocks import Message, line, value
from petops.slack.look import NEEDS_PERSON, Look
from petops.slack.text import OPTION, SECTION, Json, context, cut, header, plain, section, units

OPEN_ONE: Final = "petops.open"
_SHOWN: Final = 25
_OPTIONS: Final = 100
_SECTIONS: Final = 10


@dataclass(frozen=True, slots=True)
class Storm:
    """The incidents that share one message; the first of them is its anchor in the journal."""

    members: tuple[Incident, ...]

    @property
    def anchor(self) -> Incident:
        return self.members[0]


def storms(incidents: Iterable[Incident], at_once: int, within: timedelta) -> tuple[Storm, ...]:
    """Return the storms among one channel's incidents, oldest first.

    An incident is in one if as many as `at_once` were opened within that time up to it.
    """
    recent: deque[datetime] = deque()
    found: list[list[Incident]] = []
    for one in sorted(incidents, key=lambda each: (each.opened_at, each.id)):
        recent.append(one.opened_at)
        while recent[0] < one.opened_at - within:
            recent.popleft()
        if len(recent) < max(2, at_once):
            continue
        if found and found[-1][-1].opened_at >= one.opened_at - within:
            found[-1].append(one)
        else:
            found.append([one])
    return tuple(Storm(tuple(each)) for each in found)


def urgency(incident: Incident) -> tuple[bool, bool, str, datetime]:
    """Return what puts the most urgent first."""
    return (
        incident.phase in OVER,
        incident.phase not in NEEDS_PERSON,
        str(incident.assessment.priority),
        incident.opened_at,
    )


def storm_message(storm: Storm, look: Look, mention: str = "") -> Message:
    """Return the storm as it is now: how many stand where, the most urgent by name."""
    members = sorted(storm.members, key=urgency)
    waiting = sum(one.phase in NEEDS_PERSON for one in members)
    over = sum(one.phase in OVER for one in members)
    title = f"Storm: {len(members)} incidents, {waiting} need a person, {over} are over"
    blocks: list[Json] = [header(title), *(section(one) for one in _lists(members, look))]
    if len(members) > _SHOWN:
        blocks.append(context(f"and {len(members) - _SHOWN} more: `/petops incidents`"))
    if mention:
        blocks.append(context(mention))
    blocks.append({"type": "actions", "block_id": "petops.storm", "elements": [_select(members)]})
    return Message(text=f"{mention} {title}".strip(), blocks=tuple(blocks))


def _lists(members: Sequence[Incident], look: Look) -> list[str]:
    texts: list[str] = []
    now = ""
    for one in members[:_SHOWN]:
        text = line(one, look)
        wider = f"{now}\n{text}" if now else text
        if units(wider) > SECTION:
            texts.append(now)
            now = text
        else:
            now = wider
    return [*texts, now][:_SECTIONS]


def _select(members: Sequence[Incident]) -> Json:
    options = [
        {
            "text": plain(cut(f"{one.id} {one.assessment.priority} {one.phase}", OPTION)),
            "value": value(one),
        }
        for one in members[:_OPTIONS]
    ]
    return {
        "type": "static_select",
        "action_id": OPEN_ONE,
        "placeholder": plain("Open an incident"),
        "options": options,
    }
