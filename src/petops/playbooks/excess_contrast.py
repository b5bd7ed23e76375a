"""How far each node's excess rose and fell with the target's in one window.

The contrast of a column is its covariance with the target's excess over the window, divided by the
deviation of the latter: it keeps the unit, and it shares the target's deviation among whatever adds
up to it, as Euler's allocation does (Tasche 1999). What a node showed before the alarm too cancels
out, and with it a normal period that is old and of another level.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum, sqrt
from operator import mul
from typing import cast

from petops.playbooks.excess_ledger import Call, Column, Ledger

# The normal period counts as this many rows of the window, without excess: otherwise a fault that
# fills the whole window would be like nothing else in it.
NORMAL_ROWS = 1
# A column counts as measured when it was so in the rows that hold this share of the contrast.
MEASURED_RATIO = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """One window in one number a node: seconds waited, or requests failed, a row.

    None where it was not measured in the rows that matter.

    Attributes:
        target: The target's contrast with itself: its deviation.
        peak: The target's excess in its worst row; below 0 where all were better than normal.
        excess: Each node's contrast, callers before their callees, the target first.
        charged: The contrast of what each callee's excess means for a caller, in the callees'
            order.
        shares: The part of the callee's requests that came from the caller.
    """

    target: float | None
    peak: float | None
    excess: Mapping[str, float | None]
    charged: Mapping[Call, float | None]
    shares: Mapping[Call, float]

    def own(self, limits: Mapping[Call, float]) -> dict[str, float | None]:
        """Return what each node adds to the target by itself.

        A callee explains of its caller's excess what it has beyond its own normal range: within it
        nobody can tell whether the caller waited, and some callees swing by seconds unnoticed. Of
        what is left, the part of the node's requests that stems from the target counts.
        """
        explained = dict.fromkeys(self.excess, 0.0)
        stems = dict.fromkeys(self.excess, 0.0)
        stems[next(iter(stems))] = 1.0
        for call, charge in self.charged.items():
            caller, callee = call
            stems[callee] += stems[caller] * self.shares[call]
            beyond = 0.0 if charge is None else charge - limits.get(call, 0.0)
            if beyond > 0:
                explained[caller] += beyond
        return {
            node: None if value is None else (value - explained[node]) * stems[node]
            for node, value in self.excess.items()
        }


def contrast(ledger: Ledger, start: int, stop: int) -> Contrast:
    """Return the contrasts of the ledger's rows from `start` to `stop`, the latter left out."""
    target = ledger.excess[ledger.target][start:stop]
    weights = _weights(target)
    excess = {node: _weighed(weights, column[start:stop]) for node, column in ledger.excess.items()}
    return Contrast(
        target=excess[ledger.target],
        peak=max((value for value in target if value is not None), default=None),
        excess=excess,
        charged={
            call: excess[call[1]]
            if column is ledger.excess[call[1]]
            else _weighed(weights, column[start:stop])
            for call, column in ledger.charged.items()
        },
        shares={
            call: fsum(share[start:stop]) / len(target) for call, share in ledger.shares.items()
        },
    )


def _weights(target: Column) -> list[float]:
    """Return each row's weight; with the normal rows' their squares sum to 1, or all are 0."""
    known = [value for value in target if value is not None]
    centre = fsum(known) / (len(known) + NORMAL_ROWS)
    moves = [0.0 if value is None else value - centre for value in target]
    norm = sqrt(fsum(map(mul, moves, moves)) + NORMAL_ROWS * centre * centre)
    return [move / norm for move in moves] if norm else moves


def _weighed(weights: Sequence[float], column: Column) -> float | None:
    if None not in column:
        return fsum(map(mul, weights, cast("Sequence[float]", column)))
    pairs = [
        (weight, value) for weight, value in zip(weights, column, strict=True) if value is not None
    ]
    seen = fsum(weight * weight for weight, _ in pairs)
    if not pairs or seen < MEASURED_RATIO * fsum(map(mul, weights, weights)):
        return None
    return fsum(weight * value for weight, value in pairs)
