"""Time in a question: a window, a moment, an earlier time to compare with, a horizon. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from re import Match, Pattern

from petops.mcp_server.question.durations import (
    COUNT,
    DAY_SECONDS,
    DURATION,
    NOON_HOUR,
    UNIT,
    clock_seconds_ago,
    length_of,
    seconds_of,
    with_clock_times,
)

_CLOCK = (
    r"(?:\d{4}-\d\d-\d\d[t ]\d\d:\d\d(?::\d\d)?(?:z| utc)?|\d{1,2}:\d\d(?::\d\d)? ?(?:am|pm)?"
    r"(?: ?utc|z)?|\d{1,2} ?(?:am|pm)|midnight|noon|midday)"
)
_HOUR = rf"(?:{_CLOCK}|\d{{1,2}}(?: ?o'?clock)?)"
_EDGE, _END = r"(?<![\w-])", r"(?![\w%-])"
# "Between 5 and 20 requests" is a bound.
_NO_FIGURE = (
    r"(?! ?(?:[kmg]i?b|requests?|reqs?|rps|qps|cores?|cpus?|milli\w*|ms|bytes|replicas|pods|"
    r"restarts|errors|percent|gig\w*|meg\w*|kilo\w*))"
)
_COMPARED = re.compile(
    r"(?<![\w-])(?:vs\.?|versus|minus|compared?|comparison|against|than|relative|difference|differ(?:s|ed|ent|ing)?|"
    r"now and|"
    r"now or|changed?|changes?|same as)(?![\w-])"
)
_COMPARING = re.compile(r"(?:than|over|above|below|under|exceed\w*|least|most|beyond|[<>]=?) *$")
_FORETOLD = re.compile(
    r"\b(?:predict|forecast|estimat|project|extrapolat|expect|will|gonna|going to)"
)
_WEEK_DAYS = 7
_SHORTEST_WINDOW = 5.0  # what is shorter bounds a latency


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """When a question is about, in seconds before now. Nothing said: now.

    `window` ends `until` before now; `ago` is one moment; `earlier` is compared with; `horizon`
    lies ahead; `base` is the history that a forecast may use.
    """

    window: float | None = None
    until: float = 0.0
    ago: float | None = None
    earlier: float | None = None
    horizon: float | None = None
    base: float | None = None


_Take = Callable[[Times, Match[str], datetime], Times | None]


def times_of(text: str, now: datetime) -> tuple[Times, str]:
    """Return the times that a question speaks of, and the question without them."""
    text = with_clock_times(text)
    compared = bool(_COMPARED.search(text))
    found = Times()
    for pattern, take in _PATTERNS:
        match = pattern.search(text)
        if match is None:
            continue
        taken = take(found, match, now)
        if taken is None:
            continue
        found = taken
        text = f"{text[: match.start()]} {text[match.end() :]}"
    if found.ago is not None and compared:
        found = replace(found, earlier=found.ago, ago=None)
    return found, text


def _checked(take: _Take) -> _Take:
    """Return None from a taker where the figures are no time."""

    def checked(times: Times, match: Match[str], now: datetime) -> Times | None:
        try:
            return take(times, match, now)
        except (ValueError, OverflowError):
            return None

    return checked


def _between(times: Times, match: Match[str], now: datetime) -> Times | None:
    start, end = clock_seconds_ago(match[1], now), clock_seconds_ago(match[2], now)
    if end > start:  # 23:00 to 01:00, or the start's day is the day before
        start += DAY_SECONDS
    if start <= end:
        return None
    return replace(times, window=start - end, until=end)


def _between_ago(times: Times, match: Match[str], _: datetime) -> Times | None:
    """Take `from 2h ago to 1h ago`, and `between 60 and 30 minutes ago`."""
    end = length_of(match[2])
    start = length_of(match[1]) if length_of(match[1]) else seconds_of(f"{match[1]} {match[3]}")
    return replace(times, window=start - end, until=end) if start > end else None


def _since_ago(times: Times, match: Match[str], _: datetime) -> Times | None:
    """Take `from 2h ago`; what differs from 2h ago is compared with that one moment."""
    if match[0].startswith("from ") and _COMPARED.search(match.string[: match.start()]):
        return None
    return replace(times, window=length_of(match[1]))


def _before(times: Times, match: Match[str], now: datetime) -> Times:
    return replace(times, window=length_of(match[1]), until=clock_seconds_ago(match[2], now))


def _since(times: Times, match: Match[str], now: datetime) -> Times | None:
    seconds = clock_seconds_ago(match[1], now)
    return replace(times, window=seconds) if seconds > 0 else None


def _since_long(times: Times, match: Match[str], now: datetime) -> Times:
    return replace(times, window=_day_or_duration(match[1], now))


def _day_or_duration(text: str, now: datetime) -> float:
    if text == "yesterday":
        return clock_seconds_ago("midnight", now) + DAY_SECONDS
    if text in ("today", "this morning"):
        return clock_seconds_ago("midnight", now)
    if text == "last week":
        return _WEEK_DAYS * DAY_SECONDS
    return seconds_of(text.removesuffix(" ago"))


def _window(times: Times, match: Match[str], _: datetime) -> Times | None:
    return replace(times, window=length_of(match[1])) if times.window is None else None


def _plain_window(times: Times, match: Match[str], now: datetime) -> Times | None:
    """Take `over 5 minutes`; `over 2 s` is a threshold, and `over 100m` one of a processor."""
    if match[0].startswith("over"):
        of_a_processor = re.search(r"\dm$", match[0]) and re.search("cpu|core", match.string)
        if of_a_processor or length_of(match[1]) < _SHORTEST_WINDOW:
            return None
    return _window(times, match, now)


def _bare(times: Times, match: Match[str], now: datetime) -> Times | None:
    """Take a duration that stands alone, where nothing is compared with it: `404s` are answers."""
    answers = re.fullmatch(r"([45]\d\d)s", match[1])
    if answers and int(answers[1]) % 60:
        return None
    if times != Times() or _COMPARING.search(match.string[: match.start()]):
        return None
    return _window(times, match, now)


def _versus(times: Times, match: Match[str], now: datetime) -> Times | None:
    """Take what the present is compared with; a figure alone is a threshold: `more than 2 s`."""
    text = match[1]
    if text == "yesterday":
        return replace(times, earlier=DAY_SECONDS)
    bare = not re.match(rf"(?:the )?{_LAST}\b", text)
    if text[0].isdigit() or (bare and match[0].startswith("than")):
        return None
    return replace(times, earlier=length_of(match[2]))


def _ago(times: Times, match: Match[str], now: datetime) -> Times:
    return replace(times, ago=_day_or_duration(match[1], now))


def _at(times: Times, match: Match[str], now: datetime) -> Times:
    ago = clock_seconds_ago(match[1], now)
    if _FORETOLD.search(match.string) and ago > DAY_SECONDS / 2:
        return replace(times, horizon=DAY_SECONDS - ago)
    return replace(times, ago=ago)


def _day(times: Times, match: Match[str], now: datetime) -> Times | None:
    today = clock_seconds_ago("midnight", now)
    word = match[1]
    if times.window is not None or times.ago is not None:  # by the clock: `yesterday at 10:00`
        return _on_day(times, word)
    if word == "yesterday":
        return replace(times, window=DAY_SECONDS, until=today)
    if word == "this morning":
        noon = now.replace(hour=NOON_HOUR, minute=0, second=0, microsecond=0)
        until = max(0.0, (now - noon).total_seconds())
        return replace(times, window=today - until, until=until) if today > until else None
    if word == "last night":
        return replace(times, window=DAY_SECONDS / 4, until=max(0.0, today - DAY_SECONDS / 4))
    return replace(times, window=today) if today else None


def _on_day(times: Times, word: str) -> Times | None:
    """Return times by the clock, on the day that is named."""
    if word in {"today", "this morning"}:
        return times
    if word != "yesterday":
        return None
    if times.ago is not None:
        return replace(times, ago=times.ago + DAY_SECONDS)
    return replace(times, until=times.until + DAY_SECONDS)


def _calendar(times: Times, match: Match[str], now: datetime) -> Times:
    """Take `last week`: the one before this; `the last week` are seven days."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if match[1] == "week":
        end = midnight - timedelta(days=now.weekday())
        start = end - timedelta(days=_WEEK_DAYS)
    else:
        end = midnight.replace(day=1)
        start = (end - timedelta(days=1)).replace(day=1)
    until = (now - end).total_seconds()
    return replace(times, window=(end - start).total_seconds(), until=until)


def _date(times: Times, match: Match[str], now: datetime) -> Times:
    start = datetime.fromisoformat(match[1]).replace(tzinfo=UTC)
    end = min(start + timedelta(days=1), now)
    until = (now - end).total_seconds()
    return replace(times, window=(end - start).total_seconds(), until=until)


def _year(times: Times, match: Match[str], now: datetime) -> Times:
    start = datetime(int(match[1]), 1, 1, tzinfo=UTC)
    until = (now - datetime(int(match[1]) + 1, 1, 1, tzinfo=UTC)).total_seconds()
    return replace(
        times, window=(now - start).total_seconds() - max(0.0, until), until=max(0.0, until)
    )


def _ahead(times: Times, match: Match[str], _: datetime) -> Times:
    text = match[1] or match[2]
    return replace(times, horizon=DAY_SECONDS if text == "tomorrow" else length_of(text))


def _base(times: Times, match: Match[str], _: datetime) -> Times:
    return replace(times, base=length_of(match[1]))


def _pattern(text: str) -> Pattern[str]:
    return re.compile(_EDGE + text + _END, re.IGNORECASE)


_LAST = r"(?:last|past|previous|preceding|trailing|latest|recent)"
_LONG = rf"({DURATION}|{UNIT}(?: and a half)?)"
_VERSUS = r"(?:vs\.?|versus|compared? (?:to|with)|against|than|relative to|now and)(?: it was| in)?"
_PATTERNS: tuple[tuple[Pattern[str], _Take], ...] = tuple(
    (_pattern(text), _checked(take))
    for text, take in (
        (
            (
                r"(?:based|judging|using|given|looking|fitted?|extrapolat\w+|learn\w+)"
                rf"(?: on| by| at| over| from)? (?:the )?(?:data of (?:the )?)?(?:{_LAST} )?{_LONG}"
            ),
            _base,
        ),
        (
            rf"{_VERSUS} (?:the )?(?:(?:same|this) time )?(yesterday|(?:{_LAST} )?{_LONG})(?! ago)",
            _versus,
        ),
        (
            (
                rf"(?:between|from) ({DURATION}|{COUNT})(?: ago)? (?:and|to|until) "
                rf"(\d+(?:\.\d+)? ?({UNIT})|{DURATION}) ago"
            ),
            _between_ago,
        ),
        (rf"(?:from|since|starting) ({DURATION}) ago(?: (?:to|until|till) now)?", _since_ago),
        (
            rf"(?:the |in the |for the )?{_LONG} (?:before|until|up to|ending at) ({_CLOCK})",
            _before,
        ),
        (
            rf"(?:between|from) ({_HOUR}) (?:and|to|until|till) ({_HOUR})(?: utc)?{_NO_FIGURE}",
            _between,
        ),
        (rf"({_CLOCK}) ?(?:-|to|until|till) ?({_CLOCK})", _between),
        (rf"({_CLOCK}) ?(?:-|to|until|till) ?(?:now|the present)", _since),
        (
            (
                rf"(?:from|since|starting|after|between) (?:at )?({_CLOCK})"
                r"(?: onwards?| (?:until|till|to|and|up to) (?:now|the present))?"
            ),
            _since,
        ),
        (rf"since ({_HOUR})", _since),
        (rf"since ({DURATION} ago|yesterday|today|this morning|last week)", _since_long),
        (
            r"(?<!the )(?<!over )(?<!in )(?<!during )(?<!time )(?<!than )last (week|month)",
            _calendar,
        ),
        (
            (
                r"(?:(?:over|in|during|for|within|from|of|across|throughout)(?: all)? )?"
                rf"(?:the |this )?{_LAST} {_LONG}(?: or so)?"
            ),
            _window,
        ),
        (rf"({DURATION}) (?:ago|before|earlier)", _ago),
        (r"(?:this|the same) time (yesterday|last week)", _ago),
        (rf"(?:at|as of|around) ({_CLOCK})", _at),
        (
            (
                rf"({DURATION}) (?:from now|ahead|later)|"
                rf"(?:(?:in|within|for|over) )?(?:the )?(?:next|coming) {_LONG}(?: from now)?"
            ),
            _ahead,
        ),
        (rf"in (?:about |around )?({DURATION})(?:' time)?|(tomorrow)", _ahead),
        (r"(?:on |of |for )?(yesterday|today|this morning|last night)", _day),
        (r"(?:on |of |for )?(\d{4}-\d\d-\d\d)", _date),
        (r"(?:in|during|of) ((?:19|20)\d\d)", _year),
        (rf"(?:over|during|for|within|of|across)(?: the| an?)? {_LONG}", _plain_window),
        (rf"((?:\d+[wdhms])+|\d+(?:\.\d+)? ?{UNIT})", _bare),
    )
)
