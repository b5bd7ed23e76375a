"""The Slack app as a manifest, with the scopes that are used and no others. Pure."""

from __future__ import annotations

from typing import Any, Final

from petops.slack.calls import SCOPES

COMMAND: Final = "/petops"


def scopes() -> tuple[str, ...]:
    """Return the bot's scopes: what the methods that are called need, and the slash command."""
    needed = {scope for wanted in SCOPES.values() for scope in wanted}
    return tuple(sorted({*needed, "commands"}))


def manifest(public_url: str = "") -> dict[str, Any]:
    """Return the app for Socket Mode, or for HTTP where the daemon has a public URL."""
    base = public_url.rstrip("/")
    command: dict[str, Any] = {
        "command": COMMAND,
        "description": "Incidents, questions and faults",
        "usage_hint": "incidents | show ID | ask QUESTION | chaos status",
        "should_escape": False,
    }
    interactivity: dict[str, Any] = {"is_enabled": True}
    events: dict[str, Any] = {"bot_events": ["app_home_opened"]}
    if base:
        command["url"] = f"{base}/slack/commands"
        interactivity["request_url"] = f"{base}/slack/interactive"
        events["request_url"] = f"{base}/slack/events"
    return {
        "display_information": {
            "name": "petops",
            "description": "From an alarm on Amazon EKS to a verified recovery",
            "background_color": "#1d3557",
        },
        "features": {
            "app_home": {
                "home_tab_enabled": True,
                "messages_tab_enabled": False,
                "messages_tab_read_only_enabled": True,
            },
            "bot_user": {"display_name": "petops", "always_online": True},
            "slash_commands": [command],
        },
        "oauth_config": {"scopes": {"bot": list(scopes())}},
        "settings": {
            "event_subscriptions": events,
            "interactivity": interactivity,
            "org_deploy_enabled": False,
            "socket_mode_enabled": not base,
            "token_rotation_enabled": False,
        },
    }
