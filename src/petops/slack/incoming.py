"""What people press, send and type in Slack, read from its payloads. Pure.

Only what Slack itself says counts: who pressed is `user.id` of a payload whose way in is verified.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

Json = Mapping[str, Any]

_ID_LENGTH: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """Who it was, and in which workspace."""

    user: str
    team: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pressed:
    """A button or a menu, in a message or in a view. `id` is the same however often it comes."""

    id: str
    who: Who
    action: str
    value: str
    channel: str = ""
    message: str = ""
    view: str = ""
    kept: str = ""
    trigger: str = ""
    respond_to: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A modal that was sent, with what was filled in."""

    id: str
    who: Who
    callback: str
    kept: str
    filled: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """A slash command."""

    id: str
    who: Who
    text: str
    channel: str
    respond_to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeOpened:
    """Somebody looks at App Home."""

    id: str
    who: Who


Incoming = Pressed | Sent | Typed | HomeOpened


def read(kind: str, payload: Json) -> Incoming | None:
    """Return what a payload means; None where it is nothing for us, or makes no sense.

    `kind` is Slack's: interactive, slash_commands or events_api.
    """
    try:
        match kind:
            case "interactive":
                return _interactive(payload)
            case "slash_commands":
                return _typed(payload)
            case "events_api":
                return _event(payload)
            case _:
                return None
    except (KeyError, TypeError, AttributeError, IndexError):
        return None


def _interactive(payload: Json) -> Pressed | Sent | None:
    match payload.get("type"):
        case "block_actions":
            return _pressed(payload)
        case "view_submission":
            return _sent(payload)
        case _:
            return None


def _who(payload: Json) -> Who:
    """Return the presser; somebody of another workspace has that one's id."""
    user = payload["user"]
    team = user.get("team_id") or (payload.get("team") or {}).get("id") or ""
    own = (payload.get("team") or {}).get("id") or team
    return Who(user=str(user["id"]), team=str(team if team == own else f"{own}/{team}"))


def _pressed(payload: Json) -> Pressed:
    action = payload["actions"][0]
    container = payload.get("container") or {}
    who, view = _who(payload), payload.get("view") or {}
    chosen = action.get("selected_option") or {}
    value = str(action.get("value") or chosen.get("value") or "")
    channel = str((payload.get("channel") or {}).get("id") or container.get("channel_id") or "")
    message = str(container.get("message_ts") or (payload.get("message") or {}).get("ts") or "")
    action_id, at = str(action["action_id"]), str(action.get("action_ts") or "")
    parts = (who.team, who.user, action_id, value, at, channel, message, str(view.get("id", "")))
    return Pressed(
        id=_id(*parts),
        who=who,
        action=action_id,
        value=value,
        channel=channel,
        message=message,
        view=str(view.get("id") or ""),
        kept=str(view.get("private_metadata") or ""),
        trigger=str(payload.get("trigger_id") or ""),
        respond_to=str(payload.get("response_url") or ""),
    )


def _sent(payload: Json) -> Sent:
    view, who = payload["view"], _who(payload)
    filled = {}
    for block in (view.get("state") or {}).get("values", {}).values():
        for name, element in block.items():
            chosen = element.get("selected_option") or {}
            filled[str(name)] = str(element.get("value") or chosen.get("value") or "")
    return Sent(
        id=_id(who.team, who.user, str(view["id"]), str(view.get("hash", ""))),
        who=who,
        callback=str(view["callback_id"]),
        kept=str(view.get("private_metadata") or ""),
        filled=filled,
    )


def _typed(payload: Json) -> Typed:
    who = Who(user=str(payload["user_id"]), team=str(payload["team_id"]))
    trigger = str(payload.get("trigger_id") or payload.get("response_url") or "")
    return Typed(
        id=_id(who.team, who.user, trigger),
        who=who,
        text=str(payload.get("text") or "").strip(),
        channel=str(payload.get("channel_id") or ""),
        respond_to=str(payload.get("response_url") or ""),
    )


def _event(payload: Json) -> HomeOpened | None:
    event = payload.get("event") or {}
    if event.get("type") != "app_home_opened" or event.get("tab", "home") != "home":
        return None
    who = Who(user=str(event["user"]), team=str(payload.get("team_id") or ""))
    return HomeOpened(id=_id(who.team, str(payload.get("event_id") or "")), who=who)


def _id(*parts: str) -> str:
    """Return what makes a request idempotent: the same press has the same id."""
    told = json.dumps(parts, separators=(",", ":"))
    return f"slack-{hashlib.sha256(told.encode()).hexdigest()[:_ID_LENGTH]}"


def carried(value: str) -> tuple[str, str]:
    """Return incident and digest that a button carries; empty where it carries none."""
    try:
        found = json.loads(value)
    except ValueError:
        return "", ""
    if not isinstance(found, dict):
        return "", ""
    return str(found.get("incident") or ""), str(found.get("digest") or "")
