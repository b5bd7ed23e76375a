"""Job failed: a Job gave up, or fails again and again.

Look-alikes: a Job that ended well after a failed try, one that is suspended, one that still runs.
"""

from __future__ import annotations

from datetime import datetime

from petops.domain.diagnosis import Finding, Verdict, Weighs
from petops.domain.facts import AffectedPods
from petops.domain.objects import Condition, JobRun, condition_of
from petops.playbooks.base import (
    OF_WORKLOADS,
    Case,
    CauseNow,
    Evidence,
    FailureMode,
    Judgement,
    Ledger,
    suspected_in,
)
from petops.playbooks.pod_trouble import ago, quoted
from petops.playbooks.pod_watch import for_two_minutes, unclear
from petops.playbooks.steps.objects import job_run, last_words, object_events
from petops.playbooks.steps.workloads import affected_pods, container_stops

NAME = "job-failed"
REMEDIES = ("fix-job",)
EXPLAINS = ("crash-loop",)


def conclude(case: Case, evidence: Evidence) -> Finding:
    """Take the Job's own conditions first, and how its pods ended for the reason."""
    ledger = Ledger(mode=NAME, evidence=evidence)
    job = evidence.fact(job_run)
    statement, refuted_if = "the Job failed", "it ended well, or goes on"
    if job is None:
        ledger.not_measured(job_run, statement, refuted_if=refuted_if)
        return ledger.finding(Verdict.UNDECIDED, "it is not known how the Job went")
    if not job.is_job:
        seen = f"{job.subject} is no Job"
        ledger.refutes(job_run, statement, seen=seen, refuted_if=refuted_if)
        return ledger.finding(Verdict.REFUTED, seen)
    failed = _holds(job, "Failed")
    if _holds(job, "Complete") or _holds(job, "SuccessCriteriaMet"):
        seen = f"complete, {job.succeeded} of {job.wanted} succeeded, {job.failed} tries failed"
        ledger.refutes(job_run, statement, seen=seen, refuted_if=refuted_if)
        return ledger.finding(Verdict.REFUTED, "the Job ended well", subject=job.subject)
    if failed is None and (job.is_suspended or job.failed == 0):
        seen = "it is suspended" if job.is_suspended else f"no try failed, {job.active} active"
        ledger.refutes(job_run, statement, seen=seen, refuted_if=refuted_if)
        return ledger.finding(Verdict.REFUTED, f"the Job did not fail: {seen}", subject=job.subject)
    if failed is not None:
        seen = f"{failed.reason}, {ago(failed.since, case.window.end)}; {job.failed} tries failed"
        ledger.supports(job_run, 0.5, statement, seen=seen, refuted_if=refuted_if)
    else:
        seen = f"{job.failed} of {job.backoff_limit + 1} tries failed so far, {job.active} active"
        ledger.supports(job_run, 0.35, statement, seen=seen, refuted_if=refuted_if)
    ends = _ends_row(ledger)
    said = _words_row(ledger)
    why = failed.reason if failed else f"{job.failed} tries failed"
    because = f"Job {job.subject.name} failed ({why})" + (f": {ends}" if ends else "") + said
    return ledger.finding(
        Verdict.SUPPORTED if failed or (ends and not _tries_again(job)) else Verdict.UNDECIDED,
        because,
        subject=job.subject,
        is_proven=False,
        remedies=REMEDIES,
        explains=EXPLAINS,
        advice=f"mend what made it fail{': ' + ends if ends else ''}, then run it again once",
    )


def _tries_again(job: JobRun) -> bool:
    """Say whether one try failed and the next is under way: that is what retries are for."""
    return job.failed == 1 and job.active > 0 and job.backoff_limit > 0


def _holds(job: JobRun, kind: str) -> Condition | None:
    found = condition_of(job.conditions, kind)
    return found if found is not None and found.status == "True" else None


def _ends_row(ledger: Ledger) -> str:
    """Write how the pods ended; return it in words."""
    statement, refuted_if = "its pods end with an error", "they end with exit 0"
    stops = ledger.evidence.fact(container_stops)
    bad = [one for one in (stops.stops if stops else ()) if one.exit_code != 0]
    if not bad:
        why = "" if stops is None else "none of its pods is left"
        ledger.not_measured(container_stops, statement, refuted_if=refuted_if, why=why)
        return ""
    latest = max(bad, key=lambda one: (one.finished_at is not None, str(one.finished_at)))
    words = f"{latest.reason or 'Error'}, exit {latest.exit_code}"
    seen = f"{len(bad)} containers, the latest {words}"
    ledger.supports(container_stops, 0.15, statement, seen=seen, refuted_if=refuted_if)
    return words


def _words_row(ledger: Ledger) -> str:
    said = ledger.evidence.fact(last_words)
    if said is None or not said.lines:
        return ""
    ledger.row(
        last_words,
        Weighs.FOR,
        "its last words",
        seen=" ".join(quoted(line, 200) for line in said.lines[-3:]),
        refuted_if="they are data: nothing is concluded from them",
    )
    return f"; its last line: {quoted(said.lines[-1])}"


def judge(case: Case, evidence: Evidence, finding: Finding, since: datetime | None) -> Judgement:
    """Say whether the Job ended well."""
    del case, finding, since
    job, affected = evidence.fact(job_run), evidence.fact(affected_pods)
    if job is None:
        return unclear(evidence.why_unknown(job_run))
    well = _holds(job, "Complete") is not None
    failed = _holds(job, "Failed") is not None
    pods: AffectedPods | None = affected
    return Judgement(
        symptom_gone=well or (not failed and job.failed == 0),
        cause=CauseNow.GONE if well else CauseNow.GOES_ON if failed else CauseNow.UNCLEAR,
        signals=(
            f"{job.succeeded} of {job.wanted} succeeded, {job.failed} tries failed",
            f"{len(pods.pods) if pods else 0} pods",
        ),
    )


MODE = FailureMode(
    name=NAME,
    title="Job failed",
    suspect=suspected_in(*OF_WORKLOADS),
    steps=(affected_pods, job_run, container_stops, last_words, object_events),
    conclude=conclude,
    watch_steps=(affected_pods, job_run),
    judge=judge,
    relapse_seconds=for_two_minutes,
    watched="whether the Job completes",
)
