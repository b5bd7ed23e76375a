"""The board for App Home and for `/petops incidents`. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from petops.domain.incident import Board, Incident
from petops.domain.phases import OVER
from petops.slack.blocks import DETAILS, button, line, value
from petops.slack.look import Look
from petops.slack.storm import urgency
from petops.slack.text import VIEW_BLOCKS, Json, context, date, header, section

REFRESH: Final = "petops.refresh"
_LISTED: Final = 20


def open_incidents(board: Board) -> tuple[Incident, ...]:
    """Return what somebody has to look at, the most urgent first."""
    found = (one for one in board.incidents.values() if one.phase not in OVER)
    return tuple(sorted(found, key=urgency))


def home(board: Board, look: Look) -> Json:
    """Return the view of App Home."""
    return {"type": "home", "callback_id": "petops.home", "blocks": _board(board, look, 90)}


def listed(board: Board, look: Look) -> tuple[Json, ...]:
    """Return the answer to `/petops incidents`."""
    return tuple(_board(board, look, _LISTED * 2))


def _board(board: Board, look: Look, most: int) -> list[Json]:
    found = open_incidents(board)
    blocks = [header(_title(found))]
    for one in found[: most // 2]:
        blocks.append(
            section(line(one, look)) | {"accessory": button(DETAILS, "Details", value(one))}
        )
        blocks.append(context(f"since {date(one.opened_at, '{date_short_pretty} {time}')}"))
    if len(found) > most // 2:
        blocks.append(context(f"and {len(found) - most // 2} more: `petops incidents`"))
    return blocks[:VIEW_BLOCKS]


def _title(found: Sequence[Incident]) -> str:
    return f"{len(found)} open incident{'' if len(found) == 1 else 's'}" if found else "All is well"
