"""Advice: find what the process keeps. Only its owners can."""

from __future__ import annotations

from petops.domain.change import Advice, Change, Risk
from petops.domain.policy import Refusal
from petops.remedies.base import Remedy, Situation


def plan(situation: Situation) -> Change | Refusal:
    """Say what to run, on which workload."""
    subject, container = situation.workload.subject, situation.finding.container
    where = f"-n {subject.namespace} {subject.kind.lower()}/{subject.name} -c {container}"
    return Advice(
        subject=subject,
        text=f"profile the memory of {subject.name}/{container} before it is killed, for example "
        f"`kubectl debug` or `kubectl exec {where}` with the runtime's heap profiler "
        "(Python: memray attach; Go: pprof heap; JVM: jcmd GC.heap_dump)",
        handover=f"kubectl exec {where} -- memray attach 1",
    )


REMEDY = Remedy(name="profile-memory", risk=Risk.GREEN, plan=plan, guards=())
