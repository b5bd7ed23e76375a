"""Does Slack know the token, with its scopes, in the channels, and does the socket open?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from petops.config import Settings
from petops.errors import PetopsError
from petops.programs.doctor_check import Check, broken, failed, off, ok, unknown
from petops.programs.mirroring import given

TOKEN: Final = "slack token"  # noqa: S105
SCOPES: Final = "slack scopes"
CHANNELS: Final = "slack channels"
SOCKET: Final = "slack socket"
NAMES: Final = (TOKEN, SCOPES, CHANNELS, SOCKET)


_FIXES: Final[Mapping[str, str]] = {
    TOKEN: "store the app's bot token (xoxb-…) anew: slack.bot_token, SLACK_BOT_TOKEN",
    SCOPES: "install the app again with `petops slack manifest`",
    CHANNELS: "is the id right, and was the app invited there (/invite)?",
    SOCKET: "slack.app_token must be an app token (xapp-…) with connections:write",
}


async def look(settings: Settings, named: Settings) -> Sequence[Check]:
    """Ask Slack as the daemon does; nothing is posted.

    `named` has the settings as they were before the secrets that they name were read.
    """
    if not settings.slack.bot_token and named.slack.bot_token:
        told = "slack.bot_token names a secret that cannot be read"
        unread = broken(TOKEN, told, "see the line on secrets")
        return unread, *(unknown(one, "there is no token") for one in NAMES[1:])
    if not settings.slack.bot_token:
        told = "Slack is not set up"
        return tuple(off(one, told, "petops slack manifest, docs/slack.md") for one in NAMES)
    from petops.slack.check import check  # noqa: PLC0415 - slack-sdk takes 0.4 s

    try:
        known = given(settings, "")
    except PetopsError as exc:
        return failed(TOKEN, exc), *(unknown(one, "the settings are wrong") for one in NAMES[1:])
    channels = tuple(dict.fromkeys(one.channel for one in known.rules.routes))
    found = await check(
        known.url,
        known.bot_token,
        known.app_token,
        channels,
        signed_http=bool(known.signing_secret),
    )
    checks = []
    for name in NAMES:
        word = name.removesuffix("s").split()[1]
        about = [one for one in found if word in one.name]
        wrong = [one for one in about if not one.ok]
        if wrong:
            told = "; ".join(f"{one.name.split()[-1]}: {one.found}" for one in wrong)
            checks.append(broken(name, told, wrong[0].fix or _FIXES[name]))
        elif about:
            checks.append(ok(name, ", ".join(one.found for one in about)))
        elif known.signing_secret and name == SOCKET:
            checks.append(off(name, "Slack posts to the daemon by HTTP"))
        else:
            checks.append(unknown(name, "the token is wrong first"))
    return checks
