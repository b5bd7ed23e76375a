"""How it stands with a node that is short of something. Pure."""

from __future__ import annotations

from datetime import datetime

from petops.domain.diagnosis import Finding
from petops.playbooks.base import Case, CauseNow, Evidence, Judgement
from petops.playbooks.pod_trouble import living
from petops.playbooks.pod_watch import Judge, unclear
from petops.playbooks.steps.workloads import affected_pods, node_conditions


def judged_by_condition(condition: str, words: str) -> Judge:
    """Return a judge by one condition of the finding's node."""

    def judge(
        case: Case, evidence: Evidence, finding: Finding, since: datetime | None
    ) -> Judgement:
        del case, since
        nodes, affected = evidence.fact(node_conditions), evidence.fact(affected_pods)
        if nodes is None or finding.subject is None:
            return unclear(evidence.why_unknown(node_conditions))
        name = finding.subject.name
        states = {one.name: one for one in nodes.states}
        pods = living(affected.pods) if affected else ()
        ready = sum(pod.ready for pod in pods)
        if name not in states:
            words_of_pods = f"{ready} of {len(pods)} pods ready"
            return unclear(f"{words_of_pods}; none of them is on {name} any more")
        short = states[name].has(condition, "True")
        signal = f"node {name} is {'' if short else 'not '}{words}"
        return Judgement(
            symptom_gone=not short and ready == len(pods),
            cause=CauseNow.GOES_ON if short else CauseNow.GONE,
            signals=(signal, f"{ready} of {len(pods)} pods ready"),
        )

    return judge
