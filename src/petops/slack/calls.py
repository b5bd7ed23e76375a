"""Slack's Web API as the rest of this package sees it, and what may come of a call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

from petops.errors import PetopsError

Answer = Mapping[str, Any]

SCOPES: Final[Mapping[str, tuple[str, ...]]] = {
    "auth.test": (),
    "chat.postMessage": ("chat:write",),
    "chat.update": ("chat:write",),
    "chat.postEphemeral": ("chat:write",),
    "conversations.info": ("channels:read", "groups:read"),
    "conversations.history": ("channels:history", "groups:history"),
    "conversations.replies": ("channels:history", "groups:history"),
    "files.getUploadURLExternal": ("files:write",),
    "files.completeUploadExternal": ("files:write",),
    "users.info": ("users:read",),
    "views.open": (),
    "views.publish": (),
}
"""Every method that is called with the bot's token, and the scopes that it needs."""

SOCKET: Final = "apps.connections.open"
"""The one method that takes the app's token."""


class LimitedError(PetopsError):
    """Slack wants to be left alone for some seconds (HTTP 429)."""

    def __init__(self, method: str, seconds: float) -> None:
        super().__init__(f"Slack limits {method} for {seconds:g} s")
        self.method = method
        self.seconds = seconds


class AwayError(PetopsError):
    """Slack gave no answer; `is_unknown` where the call may have had its effect all the same."""

    def __init__(self, why: str, *, is_unknown: bool) -> None:
        super().__init__(f"Slack does not answer: {why}")
        self.is_unknown = is_unknown


class TurnedDownError(PetopsError):
    """Slack answered no: `code` is its own word for why."""

    def __init__(self, method: str, code: str, details: tuple[str, ...] = ()) -> None:
        told = f": {'; '.join(details)}"[:300] if details else ""
        super().__init__(f"Slack turned {method} down: {code}{told}", hint=HINTS.get(code))
        self.code = code


HINTS: Final[Mapping[str, str]] = {
    "not_in_channel": "invite the app: /invite @petops in that channel",
    "channel_not_found": "slack.channel is the id of a channel that the app is in",
    "is_archived": "the channel is archived: choose another",
    "invalid_auth": "is SLACK_BOT_TOKEN right?",
    "not_authed": "set SLACK_BOT_TOKEN",
    "token_revoked": "install the app again, and set the new SLACK_BOT_TOKEN",
    "account_inactive": "install the app again, and set the new SLACK_BOT_TOKEN",
    "missing_scope": "install the app again with the scopes of `petops slack manifest`",
    "not_allowed_token_type": "SLACK_APP_TOKEN begins with xapp-, SLACK_BOT_TOKEN with xoxb-",
}


class Slack(Protocol):
    """Slack's Web API with one bot's token."""

    async def call(self, method: str, /, **arguments: object) -> Answer:
        """Return the answer; raise LimitedError, AwayError or TurnedDownError."""

    async def put(self, url: str, content: bytes) -> None:
        """Upload a file to where Slack said; raise AwayError or TurnedDownError."""

    async def respond(self, url: str, message: Mapping[str, object]) -> None:
        """Answer to a press or a command; raise AwayError or TurnedDownError."""
