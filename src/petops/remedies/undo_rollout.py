"""Go back to the last good revision, where the symptom began with a rollout."""

from __future__ import annotations

from petops.domain.change import Change, Risk, UndoRollout
from petops.domain.policy import Refusal
from petops.remedies.base import Remedy, Situation
from petops.remedies.guards import ROLLS_PODS


def plan(situation: Situation) -> Change | Refusal:
    """Take the template of the revision that the diagnosis found good; the previous may be bad."""
    finding, rollouts = situation.finding, situation.rollouts
    if finding.began_with_revision is None:
        return Refusal(
            why="nothing says that the symptom began with a rollout",
            lift="undo it by hand if you know better: kubectl rollout undo",
        )
    good = finding.good_revision
    revision = next(
        (one for one in rollouts.revisions if one.number == good) if rollouts else iter(()), None
    )
    if revision is None or rollouts is None or rollouts.current is None:
        return Refusal(
            why="no earlier revision is known to be good",
            lift="if you know a good one: kubectl rollout undo --to-revision",
        )
    return UndoRollout(
        subject=situation.workload.subject,
        uid=situation.workload.uid,
        from_revision=rollouts.current.number,
        to_revision=revision.number,
        was=situation.workload.template,
        to=revision.template,
    )


REMEDY = Remedy(name="undo-rollout", risk=Risk.YELLOW, plan=plan, guards=ROLLS_PODS)
