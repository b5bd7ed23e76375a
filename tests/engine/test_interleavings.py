"""Random interleavings, a few in the gate and many more in `benchmarks/interleavings.py`."""

from __future__ import annotations

import pytest

from tests.engine.interleaving import Interleaving

pytestmark = pytest.mark.looptime
SEEDS = 120


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, SEEDS, 30))
async def test_no_act_is_without_approval_twice_or_on_a_changed_object(first: int) -> None:
    acts = 0
    for seed in range(first, first + 30):
        try:
            acts += (await Interleaving(seed).run()).acts
        except BaseException as exc:
            exc.add_note(f"seed {seed}")
            raise
    assert acts >= 10, "the interleavings do act"
