"""One incident as scripts read it: the document of `petops investigate --json`.

Every key always stands.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from petops.domain import events as ev
from petops.domain.change import Change, Proposal, edits
from petops.domain.diagnosis import Finding, LeakForecast, Row, Verdict
from petops.domain.evidence import Asked
from petops.domain.incident import Incident
from petops.domain.stages import stages
from petops.domain.subject import Subject


def report(incident: Incident) -> dict[str, Any]:
    """Return the incident as a JSON document; times are RFC 3339 in UTC, durations in seconds."""
    diagnosis = incident.diagnosis
    cause = diagnosis.cause if diagnosis else None
    findings = [*([cause] if cause else []), *(diagnosis.rivals if diagnosis else ())]
    return {
        "incident": incident.id,
        "phase": str(incident.phase),
        "priority": str(incident.assessment.priority),
        "category": str(incident.assessment.category),
        "environment": str(incident.assessment.environment) or None,
        "because": incident.assessment.because,
        "alarm": _alarm(incident),
        "opened_at": time(incident.opened_at),
        "diagnosis": _diagnosis(cause),
        "no_cause": diagnosis.because if diagnosis and cause is None else None,
        "evidence": [_row(row) for finding in findings for row in finding.rows],
        "rivals": [_rival(one) for one in findings if one is not cause],
        "gaps": [
            {"step": one.step, "why": one.why} for one in (diagnosis.gaps if diagnosis else ())
        ],
        "blind": list(diagnosis.blind) if diagnosis else [],
        "also_broken": [_also(one) for one in (diagnosis.also_broken if diagnosis else ())],
        "remedies": [_proposal(one) for one in incident.proposals],
        "withheld": [{"name": name, "why": why} for name, why in incident.withheld],
        "approved": _approved(incident),
        "outcome": _outcome(incident),
        "timings": _timings(incident),
    }


def time(at: datetime | None) -> str | None:
    """Return a time as RFC 3339 in UTC."""
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _alarm(incident: Incident) -> dict[str, Any]:
    alarm = incident.alarm
    return {
        "name": alarm.name,
        "source": str(alarm.source),
        "state": str(incident.alarm_state),
        "cluster": alarm.cluster.name,
        "account": alarm.cluster.account,
        "region": alarm.cluster.region,
        "started_at": time(alarm.started_at),
        "subject": subject_as_json(alarm.subject),
        "unmapped": alarm.unmapped or None,
    }


def subject_as_json(subject: Subject | None) -> dict[str, Any] | None:
    """Return an object as the document names it."""
    if subject is None:
        return None
    return {"kind": str(subject.kind), "namespace": subject.namespace, "name": subject.name}


def _diagnosis(cause: Finding | None) -> dict[str, Any] | None:
    if cause is None:
        return None
    return {
        "mode": cause.mode,
        "subject": subject_as_json(cause.subject),
        "container": cause.container,
        "confidence": cause.confidence,
        "because": cause.because,
        "culprit": subject_as_json(cause.culprit),
        "began_with_revision": cause.began_with_revision,
        "good_revision": cause.good_revision,
        "forecast": _forecast(cause.forecast, cause),
    }


def _forecast(ahead: LeakForecast | None, cause: Finding | None = None) -> dict[str, Any] | None:
    if ahead is None:
        return None
    return {
        "growth_mib_per_minute": round(ahead.growth_mib_per_minute, 3),
        "next_kill_at": time(ahead.next_kill_at),
        "began_with_revision": cause.began_with_revision if cause else None,
        "good_revision": cause.good_revision if cause else None,
    }


def _row(row: Row) -> dict[str, Any]:
    # What was measured over time says more than the list of pods that it was asked for.
    first: Asked | None = next((one for one in row.asked if one.window), None)
    first = first or (row.asked[0] if row.asked else None)
    window = first.window if first else None
    return {
        "mode": row.mode,
        "step": row.step,
        "statement": row.statement,
        "seen": row.seen,
        "refuted_if": row.refuted_if,
        "verdict": str(row.weighs),
        "source": first.source if first else "",
        "query": first.query if first else "",
        "window": [time(window.start), time(window.end)] if window else [],
        "queries": [one.query for one in row.asked],
    }


def _rival(finding: Finding) -> dict[str, Any]:
    # A supported rival is one that the evidence did not rule out: what a reader may call undecided.
    verdict = Verdict.REFUTED if finding.verdict is Verdict.REFUTED else Verdict.UNDECIDED
    return {
        "mode": finding.mode,
        "verdict": str(verdict),
        "because": finding.because,
        "subject": subject_as_json(finding.subject),
    }


def _also(finding: Finding) -> dict[str, Any]:
    return {
        "mode": finding.mode,
        "subject": subject_as_json(finding.subject),
        "confidence": finding.confidence,
        "because": finding.because,
    }


def _proposal(proposal: Proposal) -> dict[str, Any]:
    return {
        "name": proposal.remedy,
        "risk": str(proposal.risk),
        "summary": proposal.change.summary,
        "digest": proposal.digest,
        "change": _change(proposal.change),
        "inverse": _change(proposal.inverse) if proposal.inverse else None,
        "diff": list(proposal.dry_run.diff),
        "diff_by": "server dry run" if proposal.dry_run.by_server else "computed",
        "expires_at": time(proposal.expires_at),
        "watched": proposal.watched,
        "guards": [
            {"name": one.name, "ok": one.ok, "known": one.known, "why": one.why or None}
            for one in proposal.guards
        ],
    }


def _change(change: Change) -> dict[str, Any]:
    return {
        "kind": type(change).__name__,
        "cluster": change.subject.cluster.name,
        "account": change.subject.cluster.account,
        "region": change.subject.cluster.region,
        "target": subject_as_json(change.subject),
        "uid": getattr(change, "uid", None),
        "summary": change.summary,
        "edits": [
            {"path": "/".join(one.path), "was": one.was, "to": one.to} for one in edits(change)
        ],
    }


def _approved(incident: Incident) -> dict[str, Any] | None:
    approved = incident.approved
    if approved is None:
        return None
    return {
        "by": approved.by.user,
        "channel": approved.by.channel,
        "at": time(approved.at),
        "digest": approved.digest,
        "first": [f"{one.by.user} ({one.by.channel})" for one in incident.approvals],
        "broke_glass": incident.broke_glass.because if incident.broke_glass else None,
    }


def _outcome(incident: Incident) -> dict[str, Any] | None:
    match incident.outcome:
        case None:
            return None
        case ev.Mitigated() as mitigated:
            return {
                "state": "mitigated",
                "because": mitigated.because,
                "forecast": _forecast(mitigated.forecast),
            }
        case ev.RemedyVerified() as verified:
            return {"state": "verified", "because": "; ".join(verified.signals), "forecast": None}
        case ev.RemedyFailed() as failed:
            return {"state": "failed", "because": failed.because, "forecast": None}
        case ev.ActFailed() as failed:
            return {"state": "failed", "because": failed.why, "forecast": None}


def _timings(incident: Incident) -> dict[str, Any]:
    found = stages(incident)
    known = [one for one in (found.detect_seconds, found.investigate_seconds) if one is not None]
    return {
        "detect_seconds": found.detect_seconds,
        "investigate_seconds": found.investigate_seconds,
        "total_seconds": round(sum(known), 3) if known else None,
        "approval_seconds": found.approval_seconds,
        "act_seconds": found.act_seconds,
        "recover_seconds": found.recover_seconds,
        "mttr_seconds": found.mttr_seconds,
    }
