"""What people do on the lab's page, as the payloads that Slack makes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from petops.lab.slack_delivery import Delivery
from petops.lab.slack_workspace import APP, TEAM, Json, Member, Workspace

SILENT: Final = "petops did not answer in time. Slack would say the same."


@dataclass(slots=True)
class Acting:
    """Presses, sends and types for the people of the workspace."""

    workspace: Workspace
    delivery: Delivery
    base: str = ""
    pressed: list[Json] = field(default_factory=list)

    async def press(self, user: str, where: Json, action_id: str, value: str = "") -> str:
        """Press a button, or choose in a menu; return what went wrong, if anything."""
        member = self.workspace.members[user]
        if member.deleted:
            return "This account is deactivated: it presses nothing."
        place = self._place(user, where)
        if place is None:
            return "That message is no longer there."
        element = _element(place.get("blocks") or [], action_id, value)
        if element is None:
            return "That button is no longer there."
        payload = self._block_actions(member, where, place, element, value)
        self.pressed.append(payload)
        return await self._deliver("interactive", payload)

    def _place(self, user: str, where: Json) -> Json | None:
        """Return the message or view that has the button."""
        if where.get("view") == "modal":
            return self.workspace.modals.get(user)
        if where.get("view") == "home":
            return self.workspace.homes.get(user)
        if where.get("private"):
            found = (one for one in self.workspace.private if one["ts"] == where.get("ts"))
            return next((one for one in found if one["user"] == user), None)
        return self.workspace.messages.get(str(where.get("channel")), {}).get(str(where.get("ts")))

    def _block_actions(
        self, member: Member, where: Json, place: Json, element: Json, value: str
    ) -> Json:
        action: Json = {
            "action_id": element["action_id"],
            "block_id": element.get("block_id", ""),
            "type": element["type"],
            "action_ts": self.workspace.stamp(),
        }
        if element["type"] == "static_select":
            chosen = [one for one in element["options"] if one["value"] == value]
            action["selected_option"] = chosen[0] if chosen else {"value": value}
        else:
            action["value"] = element.get("value", "")
        payload: Json = {
            "type": "block_actions",
            "user": _user(member),
            "api_app_id": APP,
            "token": "lab",
            "trigger_id": self.workspace.trigger(member.id),
            "team": {"id": TEAM, "domain": "lab"},
            "enterprise": None,
            "is_enterprise_install": False,
            "actions": [action],
        }
        if where.get("view"):
            payload["container"] = {"type": "view", "view_id": place["id"]}
            payload["view"] = place
            return payload
        channel = str(where["channel"])
        made = self.workspace.response(member.id, channel)
        payload["container"] = {
            "type": "message",
            "message_ts": place["ts"],
            "channel_id": channel,
            "is_ephemeral": bool(where.get("private")),
        }
        payload["channel"] = {"id": channel, "name": self.workspace.channels[channel]["name"]}
        payload["message"] = place
        payload["response_url"] = f"{self.base}/lab/response/{made}"
        return payload

    async def send(self, user: str, filled: dict[str, Any]) -> str:
        """Send the form that somebody has open."""
        view = self.workspace.modals.get(user)
        if view is None:
            return "That form is no longer open."
        values: Json = {}
        for block in view["blocks"]:
            if block["type"] != "input":
                continue
            element, name = block["element"], block["element"]["action_id"]
            given = str(filled.get(name, ""))
            wrong = _objection(element, given, block["label"]["text"])
            if wrong:
                return wrong
            if element["type"] == "static_select":
                state: Json = {"type": "static_select", "selected_option": {"value": given}}
            else:
                state = {"type": element["type"], "value": given}
            values[block["block_id"]] = {name: state}
        payload = {
            "type": "view_submission",
            "team": {"id": TEAM, "domain": "lab"},
            "user": _user(self.workspace.members[user]),
            "api_app_id": APP,
            "trigger_id": self.workspace.trigger(user),
            "view": {**view, "state": {"values": values}},
            "response_urls": [],
        }
        self.pressed.append(payload)
        trouble = await self._deliver("interactive", payload)
        if not trouble:
            self.close(user)
        return trouble

    def close(self, user: str) -> None:
        """Close the form that somebody has open."""
        self.workspace.modals.pop(user, None)
        self.workspace.changed()

    async def type(self, user: str, channel: str, text: str) -> str:
        """Type a slash command."""
        command, _, rest = text.strip().partition(" ")
        if command != "/petops":
            return "The lab's Slack knows one command: /petops"
        made = self.workspace.response(user, channel)
        payload = {
            "command": command,
            "text": rest,
            "user_id": user,
            "user_name": self.workspace.members[user].name,
            "team_id": self.workspace.members[user].team,
            "team_domain": "lab",
            "channel_id": channel,
            "channel_name": self.workspace.channels[channel]["name"],
            "api_app_id": APP,
            "trigger_id": self.workspace.trigger(user),
            "response_url": f"{self.base}/lab/response/{made}",
        }
        return await self._deliver("slash_commands", payload)

    async def look_home(self, user: str) -> str:
        """Open App Home."""
        payload = {
            "type": "event_callback",
            "team_id": TEAM,
            "api_app_id": APP,
            "event_id": self.workspace.new_id("Ev"),
            "event": {"type": "app_home_opened", "user": user, "tab": "home", "channel": "D0LAB"},
        }
        return await self._deliver("events_api", payload)

    async def _deliver(self, kind: str, payload: Json) -> str:
        return SILENT if await self.delivery.deliver(kind, payload) is None else ""


def _user(member: Member) -> Json:
    return {
        "id": member.id,
        "username": member.name,
        "name": member.name,
        "team_id": member.team,
    }


def _element(blocks: list[Json], action_id: str, value: str) -> Json | None:
    """Return the element of an action; of several of one name, the one with that value."""
    found = [
        {**one, "block_id": block.get("block_id", "")}
        for block in blocks
        for one in _elements(block)
        if one.get("action_id") == action_id
    ]
    exact = [one for one in found if not value or one.get("value") == value or "options" in one]
    return next(iter(exact), None)


def _elements(block: Json) -> list[Json]:
    if block["type"] == "actions":
        return list(block["elements"])
    return [block["accessory"]] if "accessory" in block else []


def _objection(element: Json, given: str, label: str) -> str:
    if not given.strip():
        return f"{label} Please complete this required field."
    if element["type"] == "plain_text_input":
        if len(given) < int(element.get("min_length", 0)):
            return f"{label} It takes {element['min_length']} characters at least."
        if len(given) > int(element.get("max_length", 3000)):
            return f"{label} It takes {element['max_length']} characters at most."
    return ""
