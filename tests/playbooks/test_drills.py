"""The lab's drills, each once: faults are named first, and what is no fault never.

Each meets a few of the sources that may be away, so that each source is met by many; in the
benchmark (`benchmarks/modes.py`) each drill meets them all, in many worlds. The lab and the
playbooks share no threshold.
"""

from __future__ import annotations

import pytest

from petops.errors import UsageError
from petops.playbooks import MODES
from petops.programs.drilling import AWAY, Rehearsal
from petops.programs.evaluating_lab import DRILLS, chosen, document, line
from petops.scenarios.drills import Drill
from petops.scenarios.drills_of_faults import FAULTS
from petops.scenarios.drills_of_starts import STARTS


def some_of(drill: Drill) -> tuple[str, str]:
    first = DRILLS.index(drill) % len(AWAY)
    return AWAY[first], AWAY[first - len(AWAY) // 2]


@pytest.mark.slow
@pytest.mark.parametrize("drill", DRILLS, ids=lambda drill: drill.name)
async def test_a_drill_ends_with_the_true_verdict(drill: Drill) -> None:
    rehearsal = Rehearsal(drill, seed=7)
    for category in drill.categories:
        found = await rehearsal.drilled(category)
        assert not found.wrong, found.wrong
        for source in some_of(drill) if category is drill.categories[0] else ():
            without = await rehearsal.drilled(category, source)
            assert not without.wrong, (source, without.wrong)
            assert (without.confidence or 0.0) <= (found.confidence or 0.0), source


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "seed", "away", "mode"),
    [
        ("cpu-throttling-behind-a-frontend", 0, "metrics", None),
        ("cpu-throttling-behind-a-frontend", 0, "services", "cpu-throttling"),
        ("slow-dependency-behind-a-frontend", 0, "metrics", "slow-dependency"),
        ("broken-elsewhere", 17, "", None),
    ],
)
async def test_who_is_waited_for_is_looked_at_before_waiting_is_the_cause(
    name: str, seed: int, away: str, mode: str | None
) -> None:
    """Worlds in which it once was: a chance failure, and a cause that could not be measured."""
    (drill,) = chosen([name])
    found = await Rehearsal(drill, seed=seed).drilled(drill.categories[0], away)
    assert not found.wrong, found.wrong
    assert found.mode == mode


def test_every_failure_mode_has_a_drill() -> None:
    faults = (*FAULTS, *STARTS)
    without = {mode for mode in MODES if not any(one.name.startswith(mode) for one in faults)}
    assert not without


@pytest.mark.slow
async def test_verdicts_are_told_and_written_down() -> None:
    (drill,) = chosen(["drain"])
    found = await Rehearsal(drill, seed=3).drilled(drill.categories[0])
    text, style = line(found)
    assert text.startswith("right  drain (availability, seed 3)")
    assert style == "green"
    written = document([found])
    assert (written["right"], written["of"], written["calibration"]) == (1, 1, [])
    with pytest.raises(UsageError, match="there is no drill 'x'"):
        chosen(["x"])
