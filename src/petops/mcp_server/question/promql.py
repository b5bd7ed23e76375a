"""Pieces of PromQL. Pure.

Rule: whatever comes from a question or from a label's value is quoted here and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

_SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$]")
_DURATIONS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on a label."""

    label: str
    sign: str
    value: str

    def __str__(self) -> str:
        return f"{self.label}{self.sign}{quoted(self.value)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """What is made of each series before any are added up.

    `window` is the range that a counter's rate is taken over; `function` and `span` are for gauges.
    """

    window: float = 300.0
    counter: str = "rate"
    function: str = ""
    span: float = 0.0
    ahead: float | None = None
    ago: float = 0.0

    def past(self, seconds: float) -> Sampling:
        """Return the same, so much earlier."""
        return replace(self, ago=self.ago + seconds)


def quoted(text: str) -> str:
    """Return text as a PromQL string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def pattern(text: str) -> str:
    """Return the regular expression that matches exactly this text."""
    return _SPECIAL.sub(lambda found: "[.]" if found[0] == "." else f"\\{found[0]}", text)


def one_of(label: str, values: Iterable[str]) -> Matcher:
    """Return the condition that a label has one of these values."""
    known = sorted(set(values))
    if len(known) == 1:
        return Matcher(label, "=", known[0])
    return Matcher(label, "=~", "|".join(map(pattern, known)))


def duration(seconds: float) -> str:
    """Return a duration as Prometheus writes it."""
    left = max(1, round(seconds))
    for size, unit in _DURATIONS:
        if left % size == 0:
            return f"{left // size}{unit}"
    return f"{left}s"


def vector(metric: str, matchers: Sequence[Matcher]) -> str:
    """Return a selector."""
    return f"{metric}{{{','.join(map(str, matchers))}}}" if matchers else metric


def offset(seconds: float) -> str:
    """Return the modifier that looks so much earlier."""
    return f" offset {duration(seconds)}" if seconds else ""


def sampled(selector: str, sampling: Sampling, *, counter: bool) -> str:
    """Return the selector with what is made of each series."""
    later = offset(sampling.ago)
    if counter:
        return f"{sampling.counter}({selector}[{duration(sampling.window)}]{later})"
    if not sampling.function:
        return f"{selector}{later}"
    inner = f"{selector}[{duration(sampling.span)}]{later}"
    if sampling.ahead is not None:
        return f"{sampling.function}({inner}, {sampling.ahead:.0f})"
    return f"{sampling.function}({inner})"


def aggregated(function: str, labels: Sequence[str], inner: str) -> str:
    """Return an aggregation by labels, or of everything."""
    by = f" by ({', '.join(labels)}) " if labels else ""
    return f"{function}{by}({inner})"


def over_time(
    function: str, expression: str, seconds: float, parameter: float | None = None
) -> str:
    """Return one figure for a stretch of time."""
    step = "1m" if seconds >= 1200 else "15s"
    first = f"{parameter:g}, " if parameter is not None else ""
    return f"{function}_over_time({first}({expression})[{duration(seconds)}:{step}])"


def relabelled(expression: str, label: str, source: str, match: str = "(.*)") -> str:
    """Return the expression with a label taken from another."""
    return f'label_replace({expression}, {quoted(label)}, "$1", {quoted(source)}, {quoted(match)})'


def named(expression: str, label: str, value: str) -> str:
    """Return the expression with a label of a fixed value."""
    fixed = value.replace("$", "$$")
    return f'label_replace({expression}, {quoted(label)}, {quoted(fixed)}, "", "")'
