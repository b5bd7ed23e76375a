"""What `petops doctor` asks of Slack: the token, its scopes, the channels, the socket."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from petops.errors import PetopsError
from petops.slack.calls import SCOPES, SOCKET, TurnedDownError
from petops.slack.web import SlackWeb, slack_web


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One thing that was looked at: what was found, and what to do where it is not well."""

    name: str
    ok: bool
    found: str
    fix: str = ""


async def check(
    url: str, bot_token: str, app_token: str, channels: Sequence[str], *, signed_http: bool = False
) -> tuple[Checked, ...]:
    """Return what is well with Slack and what is not; never raises for what Slack answers."""
    async with slack_web(url, bot_token) as slack, slack_web(url, app_token) as app:
        token = await _checked("Slack token", partial(_token, slack))
        if not token.ok:
            return (token,)
        found = [token, _scopes(slack.scopes)]
        found += [
            await _checked(f"Slack channel {one}", partial(_channel, slack, one))
            for one in channels
        ]
        if app_token:
            found.append(await _checked("Slack socket", partial(_socket, app)))
        elif not signed_http:
            fix = "set SLACK_APP_TOKEN (Socket Mode), or SLACK_SIGNING_SECRET (HTTP)"
            found.append(Checked(name="Slack socket", ok=False, found="no way in", fix=fix))
        return tuple(found)


async def _checked(name: str, look: Callable[[], Awaitable[str]]) -> Checked:
    try:
        return Checked(name=name, ok=True, found=await look())
    except PetopsError as exc:
        return Checked(name=name, ok=False, found=exc.message, fix=exc.hint or "")


async def _token(slack: SlackWeb) -> str:
    answer = await slack.call("auth.test")
    return f"{answer.get('user', '?')} in {answer.get('team', '?')}"


def _scopes(granted: Sequence[str]) -> Checked:
    """Compare what was granted with what is called. Of alternatives one is enough."""
    missing = sorted(
        {
            " or ".join(wanted)
            for wanted in SCOPES.values()
            if wanted and not set(wanted) & set(granted)
        }
    )
    if not granted:
        return Checked(name="Slack scopes", ok=True, found="Slack does not say which")
    fix = "install the app again with `petops slack manifest`" if missing else ""
    found = f"missing: {', '.join(missing)}" if missing else f"{len(granted)} granted"
    return Checked(name="Slack scopes", ok=not missing, found=found, fix=fix)


async def _channel(slack: SlackWeb, channel: str) -> str:
    answer = await slack.call("conversations.info", channel=channel)
    about = answer.get("channel") or {}
    if about.get("is_archived"):
        raise TurnedDownError("conversations.info", "is_archived")
    if not about.get("is_member"):
        raise TurnedDownError("conversations.info", "not_in_channel")
    return f"#{about.get('name', channel)}"


async def _socket(app: SlackWeb) -> str:
    await app.call(SOCKET)
    return "opens"
