"""Looks in a channel for what may stand there already: Slack itself says whether it was posted."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from petops.ports import Clock
from petops.slack.calls import Answer
from petops.slack.due import CHART, HORIZON, Due

EVENT_TYPE: Final = "petops_incident"
_PAGES: Final = 10
_EACH: Final = 200


class Call(Protocol):
    """A call of the Web API, made as soon as its pace allows."""

    def __call__(self, method: str, where: str, /, **arguments: object) -> Awaitable[Answer]: ...


def metadata(one: Due, cluster: str) -> Mapping[str, object]:
    """Return what a message carries, so that it is known again."""
    payload = {
        "cluster": cluster,
        "incident": one.incident.id,
        "part": one.part,
        "shown": one.shown,
    }
    return {"event_type": EVENT_TYPE, "event_payload": payload}


def file_name(one: Due) -> str:
    """Return the name by which a chart is known again."""
    return f"{one.incident.id}-{one.shown}.png"


@dataclass(slots=True)
class LookAgain:
    """Finds messages by what they carry. A channel's history is read once for all of them."""

    call: Call
    clock: Clock
    cluster: str
    _histories: dict[str, tuple[datetime, tuple[Mapping[str, Any], ...]]] = field(
        default_factory=dict
    )

    async def found(self, one: Due, since: datetime) -> tuple[str, int] | None:
        """Return id and entry of what stands there for a message that is due; None if nothing.

        `since` is from when on it is not known; what was read before does not count.
        """
        if one.thread:
            replies = await self._read("conversations.replies", one, {"ts": one.thread})
            return self._among(one, replies)
        return self._among(one, await self._history(one, since))

    async def _history(self, one: Due, since: datetime) -> tuple[Mapping[str, Any], ...]:
        known = self._histories.get(one.channel)
        if known is None or known[0] < since:
            oldest = self.clock.now() - HORIZON - timedelta(hours=1)
            began = self.clock.now()
            read = await self._read(
                "conversations.history", one, {"oldest": f"{oldest.timestamp():.6f}"}
            )
            known = self._histories[one.channel] = (began, read)
        return known[1]

    async def _read(
        self, method: str, one: Due, where: Mapping[str, str]
    ) -> tuple[Mapping[str, Any], ...]:
        """Return the messages, newest first or last as Slack gives them, bounded."""
        found: list[Mapping[str, Any]] = []
        cursor = ""
        for _ in range(_PAGES):
            page = await self.call(
                method,
                one.channel,
                **where,
                **{"channel": one.channel, "limit": _EACH, "include_all_metadata": True},
                cursor=cursor or None,
            )
            found += page.get("messages") or ()
            cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                break
        return tuple(found)

    def _among(self, one: Due, messages: Iterable[Mapping[str, Any]]) -> tuple[str, int] | None:
        """Return the one that shows most."""
        best: tuple[str, int] | None = None
        for message in messages:
            if one.part == CHART:
                for each in message.get("files") or ():
                    if each.get("name") == file_name(one):
                        return str(each.get("id", "")), one.shown
                continue
            shown = self._shown(one, message.get("metadata") or {})
            if shown is not None and (best is None or shown > best[1]):
                best = (str(message["ts"]), shown)
        return best

    def _shown(self, one: Due, carried: Mapping[str, Any]) -> int | None:
        payload = carried.get("event_payload") or {}
        wanted = (self.cluster, one.incident.id, one.part)
        known = (payload.get("cluster"), payload.get("incident"), payload.get("part"))
        shown = payload.get("shown")
        if carried.get("event_type") != EVENT_TYPE or known != wanted:
            return None
        return shown if isinstance(shown, int) and shown > one.told else None
