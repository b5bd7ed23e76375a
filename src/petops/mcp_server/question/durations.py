"""Lengths of time and times of day, in words and figures. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime

DAY_SECONDS = 86400.0
NOON_HOUR = 12
_NUMBERS = {
    "a": 1.0, "an": 1.0, "one": 1.0, "two": 2.0, "three": 3.0, "four": 4.0, "five": 5.0,
    "six": 6.0, "seven": 7.0, "eight": 8.0, "nine": 9.0, "ten": 10.0, "twelve": 12.0,
    "fifteen": 15.0, "twenty": 20.0, "thirty": 30.0, "forty-five": 45.0, "sixty": 60.0,
    "ninety": 90.0, "half": 0.5, "half a": 0.5, "half an": 0.5, "a half": 0.5, "quarter": 0.25,
    "quarter of an": 0.25, "a quarter of an": 0.25, "three quarters of an": 0.75,
    "one and a half": 1.5, "two and a half": 2.5, "three and a half": 3.5,
    "couple": 2.0, "couple of": 2.0, "a couple of": 2.0, "few": 5.0, "a few": 5.0, "several": 5.0,
}  # fmt: skip
_PAST_THE_HOUR = re.compile(
    r"\b(?:a )?(quarter|half|\d{1,2}|five|ten|twenty)(?: minutes?)? (past|to) (\d{1,2})(?![\w:%.-])"
)
_MINUTES = {"quarter": 15, "half": 30, "five": 5, "ten": 10, "twenty": 20}
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
UNIT = (
    r"(?:seconds?|secs?|s|minutes?|minuts?|mintues?|mins?|m|hours?|hrs?|hr|h|days?|d|weeks?|wks?|w)"
)
COUNT = r"(?:\d+(?:\.\d+)?|" + "|".join(sorted(_NUMBERS, key=len, reverse=True)) + ")"
_WORDS = "|".join(sorted(_NUMBERS, key=len, reverse=True))
_COUNTED = rf"(?:(\d+(?:\.\d+)?)[ -]?|({_WORDS})[ -])({UNIT})(?![\w-])"
_ONE = rf"(?:\d+(?:\.\d+)?[ -]?|(?:{_WORDS})[ -]){UNIT}(?![\w-])"
DURATION = rf"(?:(?:\d+[wdhms]){{2,}}(?![\w-])|{_ONE}(?: and a half)?(?: and {_ONE})?)"


def seconds_of(text: str) -> float:
    """Return the length of a duration in words or figures: `90s`, `1h30m`, `an hour and a half`."""
    compact = re.fullmatch(r"(?:\d+[wdhms])+", text)
    if compact:
        return sum(float(n) * _UNITS[u] for n, u in re.findall(r"(\d+)([wdhms])", text))
    total, last = 0.0, 0.0
    for figures, words, unit in re.findall(_COUNTED, text):
        count = figures or words
        last = _UNITS["m" if unit.startswith("min") else unit[0]]
        total += (_NUMBERS[count] if count in _NUMBERS else float(count)) * last
    return total + (0.5 * last if text.endswith("and a half") else 0.0)


def with_clock_times(text: str) -> str:
    """Return the text with `quarter past 11` as 11:15. `5 to 10` are figures, and stay."""
    return _PAST_THE_HOUR.sub(_by_the_clock, text)


def _by_the_clock(match: re.Match[str]) -> str:
    if match[1].isdigit() and match[2] == "to":
        return match[0]
    minute = _MINUTES.get(match[1]) or int(match[1])
    hour = int(match[3]) if match[2] == "past" else int(match[3]) - 1
    minute = minute if match[2] == "past" else 60 - minute
    return f"{hour:02}:{minute:02}" if hour in range(24) and minute in range(60) else match[0]


def clock_seconds_ago(text: str, now: datetime) -> float:
    """Return how long ago the clock last showed a time; a full date stands for itself."""
    text = text.strip().removesuffix("utc").removesuffix("z").strip()
    if re.match(r"\d{4}-", text):
        moment = datetime.fromisoformat(text.replace("t", " ")).replace(tzinfo=UTC)
        return (now - moment).total_seconds()
    hour, minute, second = _clock(text)
    moment = now.replace(hour=hour, minute=minute, second=second, microsecond=0)
    ago = (now - moment).total_seconds()
    return ago if ago >= 0 else ago + DAY_SECONDS


def _clock(text: str) -> tuple[int, int, int]:
    if text in ("midnight", "noon", "midday"):
        return (0 if text == "midnight" else 12), 0, 0
    figures = [int(part) for part in re.findall(r"\d+", text)]
    hour, minute, second = (*figures, 0, 0)[:3]
    if text.endswith("pm") and hour < NOON_HOUR:
        hour += 12
    elif text.endswith("am") and hour == NOON_HOUR:
        hour = 0
    if hour > 24 or minute > 59 or second > 59:
        raise ValueError(text)
    return hour % 24, minute, second


def length_of(text: str) -> float:
    """Return the length of a duration, or of one unit that stands without a number."""
    return seconds_of(text) or seconds_of(f"1 {text}")
