"""The Web API of the lab's Slack: methods, arguments, answers and errors as Slack has them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from petops.lab.slack_blocks import WHOLE_MESSAGE, length, problems, view_problems, words
from petops.lab.slack_workspace import (
    APP,
    APP_TOKEN,
    BOT,
    BOT_TOKEN,
    BOT_USER,
    TEAM,
    TRIGGER_SECONDS,
    Json,
    Workspace,
)

SCOPES: Final[Mapping[str, tuple[str, ...]]] = {
    "auth.test": (),
    "chat.postMessage": ("chat:write",),
    "chat.postEphemeral": ("chat:write",),
    "chat.update": ("chat:write",),
    "conversations.history": ("channels:history",),
    "conversations.info": ("channels:read",),
    "conversations.replies": ("channels:history",),
    "files.completeUploadExternal": ("files:write",),
    "files.getUploadURLExternal": ("files:write",),
    "users.info": ("users:read",),
    "views.open": (),
    "views.publish": (),
}
EVERYTHING: Final = frozenset(scope for wanted in SCOPES.values() for scope in wanted) | {
    "commands"
}
_LONGEST_TEXT: Final = 40_000
_UPLOAD: Final = "/lab/upload"


class SlackError(Exception):
    """An answer with `ok` false."""

    def __init__(self, code: str, **more: Any) -> None:
        super().__init__(code)
        self.answer = {"ok": False, "error": code, **more}


@dataclass(slots=True)
class WebApi:
    """Answers methods on one workspace. `base` is where files are uploaded to."""

    workspace: Workspace
    base: str = ""
    granted: frozenset[str] = EVERYTHING
    called: list[str] = field(default_factory=list)

    def answer(self, method: str, token: str, given: Json) -> Json:
        """Return the answer to a call; an error is one too."""
        self.called.append(method)
        try:
            self._authorize(method, token)
            return {"ok": True, **self._methods()[method](given)}
        except KeyError as exc:
            if method not in SCOPES:
                return {"ok": False, "error": "unknown_method", "req_method": method}
            return {"ok": False, "error": "invalid_arguments", "missing": str(exc)}
        except SlackError as exc:
            return exc.answer

    def _authorize(self, method: str, token: str) -> None:
        if not token:
            raise SlackError("not_authed")
        if token == APP_TOKEN:
            raise SlackError("not_allowed_token_type")
        if token != BOT_TOKEN:
            raise SlackError("invalid_auth")
        needed = SCOPES.get(method, ())
        if needed and not set(needed) <= self.granted:
            raise SlackError(
                "missing_scope", needed=",".join(needed), provided=",".join(sorted(self.granted))
            )

    def _methods(self) -> Mapping[str, Callable[[Json], Json]]:
        return {
            "auth.test": self._test,
            "chat.postMessage": self._post,
            "chat.postEphemeral": self._whisper,
            "chat.update": self._update,
            "conversations.history": self._history,
            "conversations.info": self._info,
            "conversations.replies": self._replies,
            "files.completeUploadExternal": self._complete,
            "files.getUploadURLExternal": self._upload,
            "users.info": self._user,
            "views.open": self._open,
            "views.publish": self._publish,
        }

    def _test(self, given: Json) -> Json:
        del given
        return {
            "url": "https://lab.slack.com/",
            "team": "Pet Adoptions",
            "user": "petops",
            "team_id": TEAM,
            "user_id": BOT_USER,
            "bot_id": BOT,
            "is_enterprise_install": False,
        }

    def _channel(self, given: Json) -> str:
        wanted = str(given.get("channel") or given.get("channel_id") or "")
        found = self.workspace.channels.get(wanted)
        if found is None:
            raise SlackError("channel_not_found")
        if found["is_archived"]:
            raise SlackError("is_archived")
        if not found["is_member"]:
            raise SlackError("not_in_channel")
        return wanted

    def _post(self, given: Json) -> Json:
        channel = self._channel(given)
        message = self._message(given)
        parent = given.get("thread_ts")
        if parent:
            if parent not in self.workspace.messages.get(channel, {}):
                raise SlackError("thread_not_found")
            message["thread_ts"] = parent
        posted = self.workspace.post(channel, message)
        shown = {key: value for key, value in posted.items() if key != "metadata"}
        return {"channel": channel, "ts": posted["ts"], "message": shown}

    def _message(self, given: Json) -> Json:
        text, blocks = str(given.get("text") or ""), given.get("blocks") or []
        if not text and not blocks:
            raise SlackError("no_text")
        if len(text) > _LONGEST_TEXT:
            raise SlackError("msg_too_long")
        found = problems(blocks)
        if found:
            raise SlackError(**words(found))
        texts = [[one.get(name) for name in ("text", "elements", "fields")] for one in blocks]
        if length(texts) > WHOLE_MESSAGE:
            raise SlackError("msg_blocks_too_long")
        metadata = given.get("metadata")
        if metadata is not None and (
            not isinstance(metadata, dict)
            or not isinstance(metadata.get("event_type"), str)
            or not isinstance(metadata.get("event_payload"), dict)
        ):
            raise SlackError("invalid_metadata_format")
        return {"text": text, "blocks": blocks, **({"metadata": metadata} if metadata else {})}

    def _update(self, given: Json) -> Json:
        channel = self._channel(given)
        found = self.workspace.messages.get(channel, {}).get(str(given["ts"]))
        if found is None:
            raise SlackError("message_not_found")
        if found.get("app_id") != APP:
            raise SlackError("cant_update_message")
        found.update(self._message(given))
        found["edited"] = {"user": BOT_USER, "ts": self.workspace.stamp()}
        self.workspace.changed()
        return {"channel": channel, "ts": found["ts"], "text": found["text"]}

    def _whisper(self, given: Json) -> Json:
        channel = self._channel(given)
        if given["user"] not in self.workspace.members:
            raise SlackError("user_not_in_channel")
        stamp = self.workspace.whisper(str(given["user"]), channel, self._message(given))
        return {"message_ts": stamp}

    def _history(self, given: Json) -> Json:
        channel = self._channel(given)
        oldest, latest = float(given.get("oldest") or 0), given.get("cursor") or ""
        found = [
            one
            for one in reversed(self.workspace.top(channel))
            if float(one["ts"]) > oldest and (not latest or one["ts"] < latest)
        ]
        return self._page(found, given)

    def _replies(self, given: Json) -> Json:
        channel = self._channel(given)
        thread = self.workspace.thread(channel, str(given["ts"]))
        if not thread:
            raise SlackError("thread_not_found")
        cursor = given.get("cursor") or ""
        return self._page([one for one in thread if not cursor or one["ts"] > cursor], given)

    def _page(self, found: list[Json], given: Json) -> Json:
        limit = max(1, min(999, int(given.get("limit") or 100)))
        shown, rest = found[:limit], found[limit:]
        if str(given.get("include_all_metadata", "")).lower() not in {"true", "1"}:
            shown = [{k: v for k, v in one.items() if k != "metadata"} for one in shown]
        cursor = shown[-1]["ts"] if rest and shown else ""
        return {
            "messages": shown,
            "has_more": bool(rest),
            "response_metadata": {"next_cursor": cursor},
        }

    def _info(self, given: Json) -> Json:
        found = self.workspace.channels.get(str(given["channel"]))
        if found is None:
            raise SlackError("channel_not_found")
        return {"channel": found}

    def _user(self, given: Json) -> Json:
        found = self.workspace.members.get(str(given["user"]))
        if found is None:
            raise SlackError("user_not_found")
        return {
            "user": {
                "id": found.id,
                "team_id": found.team,
                "name": found.name,
                "real_name": found.real_name,
                "deleted": found.deleted,
                "is_bot": False,
                "is_restricted": found.is_restricted,
                "is_ultra_restricted": False,
            }
        }

    def _upload(self, given: Json) -> Json:
        size = int(given["length"])
        if size <= 0 or not given["filename"]:
            raise SlackError("invalid_arguments")
        name = self.workspace.new_id("F")
        self.workspace.files[name] = {"id": name, "name": given["filename"], "size": size}
        return {"upload_url": f"{self.base}{_UPLOAD}/{name}", "file_id": name}

    def _complete(self, given: Json) -> Json:
        channel = self._channel(given)
        done = []
        for one in given["files"]:
            found = self.workspace.files.get(str(one["id"]))
            content = self.workspace.contents.get(str(one["id"]))
            if found is None or content is None or len(content) != found["size"]:
                raise SlackError("file_not_found")
            found["title"] = one.get("title") or found["name"]
            done.append(found)
        message: Json = {"text": str(given.get("initial_comment") or ""), "files": done}
        if given.get("thread_ts"):
            message["thread_ts"] = given["thread_ts"]
        self.workspace.post(channel, message)
        return {"files": done}

    def _open(self, given: Json) -> Json:
        user, at = self.workspace.triggers.pop(str(given["trigger_id"]), ("", None))
        if at is None:
            raise SlackError("exchanged_trigger_id")
        if self.workspace.now() - at > timedelta(seconds=TRIGGER_SECONDS):
            raise SlackError("expired_trigger_id")
        view = self._view(given["view"])
        self.workspace.modals[user] = view
        self.workspace.changed()
        return {"view": view}

    def _publish(self, given: Json) -> Json:
        view = self._view(given["view"])
        self.workspace.homes[str(given["user_id"])] = view
        self.workspace.changed()
        return {"view": view}

    def _view(self, given: Any) -> Json:
        found = view_problems(given)
        if found:
            told = [f"[ERROR] {what} [json-pointer:{where}]" for what, where in found]
            raise SlackError("invalid_arguments", response_metadata={"messages": told})
        made = self.workspace.new_id("V")
        return {**given, "id": made, "hash": made, "team_id": TEAM, "app_id": APP}


def arguments(content_type: str, body: bytes, form: Mapping[str, str]) -> Json:
    """Return a call's arguments: JSON, or a form whose values may be JSON."""
    if content_type.startswith("application/json"):
        found = json.loads(body or b"{}")
        return found if isinstance(found, dict) else {}
    return {key: _value(key, value) for key, value in form.items()}


def _value(key: str, value: str) -> Any:
    if key not in {"blocks", "view", "metadata", "files", "attachments"}:
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value
