"""Settings of what tells people elsewhere: Slack, links to Grafana, one-way notifiers."""

from __future__ import annotations

from dataclasses import dataclass

from petops.config.described import described as _set


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackSettings:
    """Where incidents are shown in Slack, and who is called there. `[[slack_route]]` refines it."""

    bot_token: str = _set("", "SLACK_BOT_TOKEN", about="bot token, xoxb-…", secret=True)
    app_token: str = _set(
        "", "SLACK_APP_TOKEN", about="app token, xapp-…, for Socket Mode", secret=True
    )
    signing_secret: str = _set(
        "", "SLACK_SIGNING_SECRET", about="for HTTP in place of Socket Mode", secret=True
    )
    channel: str = _set("", "PETOPS_SLACK_CHANNEL", about="id of the channel, as C0123456789")
    api_url: str = _set(
        "https://slack.com/api/", "PETOPS_SLACK_API_URL", about="where Slack's Web API is"
    )
    mention: str = _set(
        "", "PETOPS_SLACK_MENTION", about="whom a new incident calls: @U…, @S… (a group) or here"
    )
    mention_priorities: tuple[str, ...] = _set(
        ("P1", "P2"), "PETOPS_SLACK_MENTION_PRIORITIES", about="which incidents call somebody"
    )
    quiet_hours: str = _set(
        "", "PETOPS_SLACK_QUIET_HOURS", about="when nobody is called, as 22:00-07:00"
    )
    quiet_zone: str = _set("UTC", "PETOPS_SLACK_QUIET_ZONE", about="time zone of the quiet hours")
    quiet_except: tuple[str, ...] = _set(
        ("P1",), "PETOPS_SLACK_QUIET_EXCEPT", about="priorities that call somebody even then"
    )
    storm_incidents: int = _set(
        8, "PETOPS_SLACK_STORM_INCIDENTS", about="so many new incidents at once share one message"
    )
    storm_minutes: float = _set(2.0, "PETOPS_SLACK_STORM_MINUTES", about="what 'at once' means")
    people: tuple[str, ...] = _set(
        (), "PETOPS_SLACK_PEOPLE", about="who is who, as U0123456789=ana@example.com"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class GrafanaSettings:
    """Where dashboards are; `[[grafana_link]]` has one for each category."""

    url: str = _set("", "PETOPS_GRAFANA_URL", about="Grafana's address, for links")


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifySettings:
    """One-way messages to other services."""

    pagerduty_key: str = _set(
        "", "PETOPS_PAGERDUTY_KEY", about="integration key of Events API v2", secret=True
    )
    pagerduty_url: str = _set(
        "https://events.pagerduty.com/v2/enqueue",
        "PETOPS_PAGERDUTY_URL",
        about="where events are sent",
    )
    webhook_url: str = _set("", "PETOPS_WEBHOOK_URL", about="told of each incident's phases")
    webhook_secret: str = _set(
        "", "PETOPS_WEBHOOK_SECRET", about="signs what the webhook gets", secret=True
    )
    priorities: tuple[str, ...] = _set(
        ("P1", "P2"), "PETOPS_NOTIFY_PRIORITIES", about="which incidents are told"
    )
