"""Which channel an incident belongs to, and whom it calls there, when. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from fnmatch import fnmatchcase
from typing import Any, Final
from zoneinfo import ZoneInfo

from petops.domain.alarm import Priority
from petops.domain.incident import Incident
from petops.errors import UsageError

_CHANNEL: Final = re.compile(r"[CGD][A-Z0-9]{2,}")
_HOURS: Final = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)\s*-\s*([01]?\d|2[0-3]):([0-5]\d)")
_EXAMPLE: Final = (
    "for example: channel = 'C0123456789', namespaces = ['shop-*'], priorities = ['P1'], "
    "teams = ['payments'], mention = '@S0123456789'"
)
_TEAM_LABELS: Final = ("team", "owner", "squad")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """Hours in which nobody is called, but for these priorities."""

    start: time
    end: time
    zone: ZoneInfo
    except_for: tuple[str, ...] = ("P1",)

    def covers(self, priority: str, at: datetime) -> bool:
        """Say whether an incident of this priority calls nobody at that time."""
        if priority in self.except_for:
            return False
        here = at.astimezone(self.zone).time()
        if self.start <= self.end:
            return self.start <= here < self.end
        return here >= self.start or here < self.end


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Incidents of these namespaces, priorities and teams go to this channel."""

    channel: str
    namespaces: tuple[str, ...] = ("*",)
    priorities: tuple[str, ...] = ("*",)
    teams: tuple[str, ...] = ("*",)
    mention: str = ""
    mention_priorities: tuple[str, ...] = ("P1", "P2")
    quiet: Quiet | None = None

    def takes(self, incident: Incident) -> bool:
        """Say whether the incident belongs here. One without a namespace matches only `*`."""
        subject = incident.alarm.subject  # a diagnosis may blame another: the card stays here
        labels = dict(incident.alarm.labels)
        team = next((labels[one] for one in _TEAM_LABELS if labels.get(one)), "")
        return (
            _matches(subject.namespace if subject else "", self.namespaces)
            and _matches(str(incident.assessment.priority), self.priorities)
            and _matches(team, self.teams)
        )

    def calls(self, incident: Incident, at: datetime) -> str:
        """Return the mention with which it is posted now; empty where nobody is called."""
        priority = str(incident.assessment.priority)
        if priority not in self.mention_priorities or self.is_quiet(incident, at):
            return ""
        if incident.snoozed_until is not None and incident.snoozed_until > at:
            return ""
        return self.mention

    def is_quiet(self, incident: Incident, at: datetime) -> bool:
        """Say whether it is not the time to call anybody for this."""
        return self.quiet is not None and self.quiet.covers(str(incident.assessment.priority), at)


def route_of(incident: Incident, routes: Sequence[Route]) -> Route | None:
    """Return where the incident belongs: the first route that takes it.

    What an incident is about may become known later; where its card stands it stays.
    """
    return next((one for one in routes if one.takes(incident)), None)


def quiet_hours(hours: str, zone: str, except_for: Sequence[str]) -> Quiet | None:
    """Return quiet hours as settings write them; None where there are none."""
    if not hours.strip():
        return None
    found = _HOURS.fullmatch(hours.strip())
    if found is None:
        raise UsageError(f"{hours[:40]!r} are no quiet hours", hint="for example: 22:00-07:00")
    first, second, third, fourth = (int(one) for one in found.groups())
    try:
        place = ZoneInfo(zone)
    except (ValueError, OSError) as exc:
        raise UsageError(f"{zone[:40]!r} is no time zone", hint="as Europe/Berlin") from exc
    return Quiet(
        start=time(first, second),
        end=time(third, fourth),
        zone=place,
        except_for=_priorities(except_for, ()),
    )


def routes(tables: Iterable[Mapping[str, Any]], default: Route | None) -> tuple[Route, ...]:
    """Return the `[[slack_route]]` rules, the default channel last; raise UsageError."""
    found = []
    for table in tables:
        try:
            found.append(_route(table, default))
        except (KeyError, TypeError, ValueError) as exc:
            what = f"{exc.args[0]} is missing" if isinstance(exc, KeyError) else str(exc)
            told = f"a [[slack_route]] rule in the settings makes no sense: {what}"
            raise UsageError(told, hint=_EXAMPLE) from exc
    return (*found, default) if default is not None else tuple(found)


def _route(table: Mapping[str, Any], default: Route | None) -> Route:
    known = {"channel", "namespaces", "priorities", "teams", "mention", "quiet_hours", "quiet_zone"}
    unknown = [one for one in table if one not in known]
    if unknown:
        raise ValueError(f"{unknown[0]} is none of {', '.join(sorted(known))}")
    quiet = default.quiet if default else None
    if "quiet_hours" in table:
        quiet = quiet_hours(str(table["quiet_hours"]), str(table.get("quiet_zone", "UTC")), ("P1",))
    return Route(
        channel=channel_id(str(table["channel"])),
        namespaces=_texts(table, "namespaces"),
        priorities=_priorities(_texts(table, "priorities"), ("*",)),
        teams=_texts(table, "teams"),
        mention=mention(str(table["mention"])) if "mention" in table else _of(default),
        mention_priorities=default.mention_priorities if default else ("P1", "P2"),
        quiet=quiet,
    )


def _of(default: Route | None) -> str:
    return default.mention if default else ""


def channel_id(text: str) -> str:
    """Return a channel's id; a name would stop to work when the channel is renamed."""
    if not _CHANNEL.fullmatch(text):
        raise UsageError(
            f"{text[:40]!r} is no id of a channel",
            hint="Slack shows it at the end of a channel's details, as C0123456789",
        )
    return text


def mention(text: str) -> str:
    """Return whom to call as Slack writes it: `@U…` a person, `@S…` a group, `here`."""
    bare = text.strip().lstrip("@")
    if not bare:
        return ""
    if bare in {"here", "channel"}:
        return f"<!{bare}>"
    if re.fullmatch(r"[UW][A-Z0-9]{2,}", bare):
        return f"<@{bare}>"
    if re.fullmatch(r"S[A-Z0-9]{2,}", bare):
        return f"<!subteam^{bare}>"
    raise UsageError(f"{text[:40]!r} can call nobody", hint="@U… a person, @S… a group, or here")


def _priorities(given: Iterable[str], also: tuple[str, ...]) -> tuple[str, ...]:
    found = tuple(given)
    known = {*(str(one) for one in Priority), *also}
    for one in found:
        if one not in known:
            raise UsageError(f"{one[:20]!r} is no priority", hint="P1, P2, P3 or P4")
    return found


def _texts(table: Mapping[str, Any], name: str) -> tuple[str, ...]:
    found = table.get(name, ("*",))
    if isinstance(found, str) or not all(isinstance(one, str) for one in found):
        raise ValueError(f"{name} must be a list of texts")
    return tuple(found)


def _matches(text: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(text, one) for one in patterns)
