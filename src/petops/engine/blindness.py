"""Which monitoring showed nothing that could be relied on. Pure.

Where no cause was found this is the first thing to say: what nobody measured is not well.
"""

from __future__ import annotations

from petops.playbooks.base import Evidence
from petops.playbooks.steps.beside import monitoring
from petops.playbooks.steps.workloads import affected_pods


def blind_spots(evidence: Evidence) -> tuple[str, ...]:
    """Return what is blind: Kubernetes without the pods, metrics where none is fresh."""
    spots = []
    if evidence.fact(affected_pods) is None:
        spots.append(f"Kubernetes: {evidence.why_unknown(affected_pods)}")
    seen = evidence.fact(monitoring)
    if seen is not None and seen.is_blind:
        spots.append(f"metrics: {'; '.join(dict.fromkeys(one.words() for one in seen.blind))}")
    return tuple(spots)
