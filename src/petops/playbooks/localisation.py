"""Which service causes the alarm at a frontend: the one with the excess that its callees lack.

Two answers: a ranking, always, and a cause, which may be refused. `learn` what is normal once for
each target, symptom and length of window; `localise` each window against it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log10

from petops.domain.call_graph import Symptom, Telemetry
from petops.errors import UsageError
from petops.playbooks.excess_contrast import Contrast
from petops.playbooks.excess_ledger import readings
from petops.playbooks.normal_range import LEAST_SHARE, NormalRange, learn

__all__ = ["Localisation", "Suspect", "learn", "localise"]

MOST_TIMES, MOST_SURE = 1000.0, 0.85
UNITS = {Symptom.LATENCY: "s of waiting a row", Symptom.ERRORS: "failed requests a row"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """One node's part in what the target showed.

    Attributes:
        node: Its name.
        excess: What it adds to the target's excess by itself while that is up: seconds of waiting,
            or failed requests, a row. None where it was not measured.
        limit: What its excess stays within in 39 of 40 normal windows.
        share_ratio: Which part of the target's excess that is; more than 1 where others got
            better, or where the target does not wait for all of it.
    """

    node: str
    excess: float | None
    limit: float
    share_ratio: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Localisation:
    """Where the cause is, if anywhere.

    Attributes:
        ranking: All that the target reaches, itself included, the likeliest first; those that
            were not measured last.
        cause: The first of the ranking, or None: no cause here, or none that can be told.
        why: One sentence for either.
        target_excess: The target's excess, in the unit of `Suspect.excess`; None if not measured.
        unmeasured: The nodes of the ranking without readings in the rows that matter.
    """

    ranking: tuple[Suspect, ...]
    cause: str | None
    why: str
    target_excess: float | None
    unmeasured: tuple[str, ...]

    @property
    def confidence(self) -> float:
        """How sure the cause is, 0 to 1: the further beyond what normal times know, the surer.

        The line was laid through PetShop's shared part, faulty and fault-free windows together
        (docs/localisation.md has stated against observed); 0 where no cause is named.
        """
        first = self.ranking[0] if self.ranking else None
        if self.cause is None or first is None or not first.excess:
            return 0.0
        times = first.excess / first.limit if first.limit > 0 else MOST_TIMES
        sure = 0.25 + 0.4 * log10(max(1.0, min(times, MOST_TIMES)))
        return round(min(sure, MOST_SURE), 2)


def localise(normal: NormalRange, window: Telemetry) -> Localisation:
    """Rank what the target reaches, and name the cause if it stands out from normal times.

    Args:
        normal: What is normal for the alarm's target and symptom.
        window: `normal.rows` rows around the alarm; those before it sharpen the answer.

    Raises:
        UsageError: The window has another number of rows than `normal` was learned for.
    """
    if window.rows != normal.rows:
        raise UsageError(
            f"the window has {window.rows} rows, and what is normal is known for {normal.rows}",
            hint="learn again with the window's number of rows",
        )
    found = normal.contrast(window)
    own = found.own(normal.limits.calls)
    ranking = _ranking(normal, found, own)
    refusal = _refusal(normal, window, found, ranking)
    return Localisation(
        ranking=ranking,
        cause=ranking[0].node if refusal is None else None,
        why=refusal or _reason(normal, ranking[0]),
        target_excess=found.target,
        unmeasured=tuple(one.node for one in ranking if one.excess is None),
    )


def _ranking(
    normal: NormalRange, found: Contrast, own: Mapping[str, float | None]
) -> tuple[Suspect, ...]:
    """Put first whose excess is farthest beyond twice its limit."""
    suspects = [
        Suspect(
            node=node,
            excess=value,
            limit=normal.limits.of(node),
            share_ratio=value / found.target if value is not None and found.target else None,
        )
        for node, value in own.items()
    ]
    return tuple(sorted(suspects, key=lambda one: -normal.limits.beyond(one.node, one.excess)))


def _refusal(
    normal: NormalRange, window: Telemetry, found: Contrast, ranking: Sequence[Suspect]
) -> str | None:
    """Say why no cause is named, or nothing."""
    first = ranking[0].node
    if found.target is None:
        return f"{normal.target} was not measured in this window: monitoring is blind here"
    if not normal.is_enough:
        return f"only {normal.windows} windows of normal times are known: too few to compare with"
    if not normal.limits.is_up(found):
        return f"{normal.target} is within what it shows in normal times"
    times = normal.limits.times(found, {one.node: one.excess for one in ranking})
    if not times:
        return f"no service explains {LEAST_SHARE:.0%} of what {normal.target} shows"
    if times < normal.least_times:
        return f"{first} comes first, but normal times know as much of it"
    return _unmeasured(normal, window, found, first)


def _unmeasured(normal: NormalRange, window: Telemetry, found: Contrast, first: str) -> str | None:
    """Say what would have to be measured before the first suspect may be named, or nothing."""
    for node in (normal.target, first):
        if all(reading is None for reading in readings(window.of(node).requests)):
            return f"{first} comes first, but how many requests {node} had was not measured"
    for callee in normal.graph.callees[first]:
        if found.excess[callee] is None and normal.levels[callee].cost is not None:
            return f"{first} comes first, but its callee {callee} is not measured any more"
    return None


def _reason(normal: NormalRange, first: Suspect) -> str:
    return (
        f"{first.node} by itself adds {_plain(first.excess or 0)} {UNITS[normal.symptom]} to "
        f"{normal.target}, {first.share_ratio or 0:.0%} of its excess; "
        f"normal times stay within {_plain(first.limit)}"
    )


def _plain(number: float) -> str:
    """Return a number as people read it, never with an exponent."""
    return f"{number:.0f}" if abs(number) >= 100 else f"{number:.3g}"
