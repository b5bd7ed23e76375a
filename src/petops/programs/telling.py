"""Events and incidents as lines for people. Pure; whatever came from a cluster stays plain text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from petops.domain import events as ev
from petops.domain.change import Advice, Proposal
from petops.domain.diagnosis import Diagnosis, Finding, Row, Verdict, Weighs
from petops.domain.incident import Incident
from petops.domain.stages import Stages, stages
from petops.programs.summaries import clock, summary

__all__ = [
    "Line",
    "clock",
    "diagnosed",
    "offered",
    "short",
    "stage_lines",
    "stage_rows",
    "state",
    "summary",
    "timeline",
    "told",
]

SIGNS: Final = {Weighs.FOR: "+", Weighs.AGAINST: "-", Weighs.NOT_MEASURED: "?"}
MANUAL: Final = "10 to 15 minutes by hand"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line: how deep it is indented, its text, and a style that repeats what the text says."""

    text: str
    depth: int = 0
    style: str = ""


def told(event: ev.Event) -> tuple[Line, ...]:  # noqa: C901, PLR0911, PLR0912, PLR0915
    """Return an event as a person would tell it. One flat table of cases."""
    match event:
        case ev.IncidentOpened():
            return _opened(event)
        case ev.AlarmJoined(alarm=alarm, because=because):
            return (Line(text=f"alarm {alarm.name} is {alarm.state}: {because}", style="dim"),)
        case ev.AlarmTurnedAway(alarm=alarm, because=because):
            return (Line(text=f"alarm {alarm.name} led to nothing: {because}", style="yellow"),)
        case ev.IncidentMerged(into=into, because=because):
            return (Line(text=f"goes on in {into}: {because}", style="bold"),)
        case ev.JournalPruned(lines=lines):
            return (Line(text=f"{lines} lines of what was over were taken out", style="dim"),)
        case ev.SplitApart(by=by, apart=apart):
            return (Line(text=f"{by.user} split it off {apart}: it stands alone", style="bold"),)
        case ev.AlarmSplitOff(by=by, fingerprint=fingerprint, to=to):
            return (Line(text=f"{by.user} split alarm {fingerprint} off, to {to}"),)
        case ev.Reopened(because=because):
            return (Line(text=f"reopened: {because}", style="bold yellow"),)
        case ev.InvestigationStarted(steps=steps):
            return (Line(text=f"investigating: {len(steps)} questions at once"),)
        case ev.InvestigationWidened(because=because, steps=steps):
            asking = f"asking {len(steps)} more questions: " if steps else ""
            return (Line(text=asking + because),)
        case ev.StepAnswered(answer=answer):
            text = f"ok  {answer.step:<18} {answer.seconds:6.2f} s  {summary(answer.fact)}"
            return (Line(text=text, depth=1, style="green"),)
        case ev.StepUnanswered(unknown=unknown):
            text = f"??  {unknown.step:<18} {unknown.seconds:6.2f} s  not known: {unknown.why}"
            return (Line(text=text, depth=1, style="yellow"),)
        case ev.Diagnosed(diagnosis=diagnosis):
            return diagnosed(diagnosis)
        case ev.RemediesProposed():
            return offered(event.proposals, event.withheld)
        case ev.NothingToPropose():
            line = Line(text=f"no change is on offer: {event.because}", style="yellow")
            return (line, *offered(event.proposals, event.withheld))
        case ev.NoCauseFound():
            text = "petops changes nothing: a person takes over"
            return (Line(text=text, style="bold yellow"),)
        case ev.AskedAgain(because=because):
            return (Line(text=f"asking again: {because}", style="bold"),)
        case ev.ProposalsLapsed(because=because):
            return (Line(text=f"what was on offer is void: {because}", style="yellow"),)
        case ev.RemedyApproved(by=by, digest=digest):
            text = f"approved by {by.user} ({by.channel}): {short(digest)}"
            return (Line(text=text, style="bold"),)
        case ev.ApprovalGiven(by=by, digest=digest):
            text = f"approved by {by.user} ({by.channel}): {short(digest)}; a second person has to"
            return (Line(text=text, style="bold yellow"),)
        case ev.BreakGlassUsed(by=by, because=because):
            text = f"{by.user} broke the glass, alone for what needs two: {because}"
            return (Line(text=text, style="bold red"),)
        case ev.ApprovalVoided(because=because):
            return (
                Line(text=f"the approval is void, nothing was done: {because}", style="yellow"),
            )
        case ev.RemedyRejected(by=by, because=because):
            return (Line(text=f"rejected by {by.user} ({by.channel}): {because}"),)
        case ev.ApprovalRefused(by=by, why=why):
            return (Line(text=f"approval by {by.user or 'nobody'} refused: {why}", style="red"),)
        case ev.RequestRefused(by=by, asked=asked, why=why):
            text = f"{asked} by {by.user or 'nobody'} refused: {why}"
            return (Line(text=text, style="red"),)
        case ev.ActIntended(change=change, act=act):
            return (Line(text=f"acting: {change.summary} (act {act[:8]})"),)
        case ev.ActProgressed(done=done, left=left, blocked=blocked):
            text = f"{', '.join(done) or 'nothing new'} done, {left} left"
            return (Line(text=f"{text}; held back: {blocked}" if blocked else text, depth=1),)
        case ev.StopRequested(by=by, because=because):
            return (Line(text=f"{by.user} stops the act: {because}", style="bold yellow"),)
        case ev.InverseOffered(proposals=proposals):
            line = Line(text="what takes the change back is on offer", style="yellow")
            return (line, *offered(proposals, ()))
        case ev.TakenBack():
            return (Line(text="the change was taken back", style="bold"),)
        case ev.WouldHaveActed(summaries=summaries, because=because):
            text = f"would have offered: {'; '.join(summaries)}; {because}"
            return (Line(text=text, style="bold yellow"),)
        case ev.RemedyApplied(settled=settled):
            how = "found applied by looking at the object" if settled else "applied"
            return (Line(text=f"the change is {how}", style="bold"),)
        case ev.ActFailed(why=why):
            return (Line(text=f"the change was not made: {why}", style="bold red"),)
        case ev.Recovered(signals=signals):
            return (Line(text=f"recovered: {'; '.join(signals)}", style="bold green"),)
        case ev.RelapseWatchStarted(until=until, because=because):
            return (Line(text=f"watching for a relapse until {clock(until)}: {because}"),)
        case ev.RemedyVerified(signals=signals):
            return (Line(text=f"verified: {'; '.join(signals)}", style="bold green"),)
        case ev.Mitigated(because=because):
            return (Line(text=f"mitigated, not fixed: {because}", style="bold yellow"),)
        case ev.RemedyFailed(because=because):
            return (Line(text=f"the change did not help: {because}", style="bold red"),)
        case ev.Resolved(because=because):
            return (Line(text=f"resolved: {because}", style="green"),)
        case ev.Acknowledged(by=by):
            return (Line(text=f"acknowledged by {by.user} ({by.channel})"),)
        case ev.Snoozed(by=by, until=until):
            return (Line(text=f"snoozed by {by.user} until {clock(until)}"),)
        case ev.CauseCorrected(by=by, mode=mode, subject=subject, because=because):
            where = f" on {subject}" if subject else ""
            why = f": {because}" if because else ""
            return (Line(text=f"{by.user} says what it was: {mode}{where}{why}", style="yellow"),)
        case ev.Closed(by=by, because=because):
            return (Line(text=f"closed by {by.user}: {because}"),)
        case ev.Mirrored(surface=surface, part=part, shown=shown):
            text = f"{surface} shows it up to entry {shown} ({part})"
            return (Line(text=text, style="dim"),)
        case ev.RunbookFound(runbook=page):
            return (Line(text=f"runbook {page.name}: {page.title} ({page.origin})"),)
        case ev.Noted(text=text):
            return (Line(text=f"note: {text}", style="yellow"),)
        case ev.Unreadable(kind=kind):
            return (Line(text=f"an entry of a newer petops, kind {kind}", style="yellow"),)


def _opened(event: ev.IncidentOpened) -> tuple[Line, ...]:
    alarm, found = event.alarm, event.assessment
    about = str(alarm.subject) if alarm.subject else f"no object: {alarm.unmapped}"
    return (
        Line(
            text=f"{found.priority} {found.category}: alarm {alarm.name} on {about}",
            style="bold red",
        ),
        Line(text=f"cluster {alarm.cluster}; {found.because}", depth=1, style="dim"),
    )


def diagnosed(diagnosis: Diagnosis) -> tuple[Line, ...]:
    """Return the verdict, and the ledger behind it."""
    cause = diagnosis.cause
    if cause is None:
        lines = [Line(text=diagnosis.because, style="bold yellow")]
    else:
        lines = [
            Line(text=f"{cause.mode}, confidence {cause.confidence:.2f}", style="bold"),
            Line(text=cause.because, depth=1),
        ]
    lines += [_row(row) for row in (cause.rows if cause else ())]
    for finding in diagnosis.rivals:
        lines += _rival(finding)
    lines += [
        Line(text=f"also broken: {one.mode}: {one.because}", depth=1, style="yellow")
        for one in diagnosis.also_broken
    ]
    lines += [
        Line(text=f"? {gap.step}: not known, {gap.why}", depth=1, style="yellow")
        for gap in diagnosis.gaps
    ]
    return tuple(lines)


def _rival(finding: Finding) -> list[Line]:
    """Return a rival's ledger; of what was ruled out, the reason is enough."""
    if finding.verdict is Verdict.REFUTED:
        return [Line(text=f"- ruled out {finding.mode}: {finding.because}", depth=1, style="dim")]
    head = Line(text=f"? {finding.mode}: {finding.because}", depth=1, style="yellow")
    return [head, *(_row(row) for row in finding.rows)]


def _row(row: Row) -> Line:
    styles = {Weighs.FOR: "green", Weighs.AGAINST: "red", Weighs.NOT_MEASURED: "yellow"}
    words = {Weighs.FOR: "for", Weighs.AGAINST: "against", Weighs.NOT_MEASURED: "unknown"}
    text = f"{SIGNS[row.weighs]} {words[row.weighs]:<8} {row.statement}: {row.seen}"
    return Line(text=text, depth=1, style=styles[row.weighs])


def offered(proposals: Iterable[Proposal], withheld: Iterable[tuple[str, str]]) -> tuple[Line, ...]:
    """Return the changes on offer, best first, each with its diff."""
    lines: list[Line] = []
    for number, one in enumerate(proposals, start=1):
        if isinstance(one.change, Advice):
            lines.append(Line(text=f"advice: {one.change.text}", depth=1))
            lines += [
                Line(text=text, depth=2, style="dim") for text in one.change.handover.splitlines()
            ]
            continue
        head = f"{number}. {one.remedy} ({one.risk}): {one.change.summary}"
        lines.append(Line(text=head, style="bold cyan"))
        how = "dry run by the API server" if one.dry_run.by_server else "diff computed here"
        note = f"; {one.dry_run.note}" if one.dry_run.note else ""
        inverse = one.inverse.summary if one.inverse else "none: pods are replaced"
        lines += [
            Line(text=f"digest  {one.digest}", depth=1),
            Line(text=f"{how}{note}; {_guards(one)}", depth=1),
            *(
                Line(text=f"{'?' if guard.ok else '!'} {guard.name}: {guard.why}", depth=2)
                for guard in one.guards
                if guard.why
            ),
            Line(text=f"inverse {inverse}", depth=1),
        ]
        lines += [Line(text=text, depth=2, style=_diff_style(text)) for text in one.dry_run.diff]
    lines += [Line(text=f"withheld: {name}: {why}", depth=1, style="dim") for name, why in withheld]
    return tuple(lines)


def _guards(proposal: Proposal) -> str:
    """Count the guards that are content, object, and could not find out."""
    known = [one for one in proposal.guards if one.known]
    words = f"{sum(one.ok for one in known)} guards content"
    against, unknown = sum(not one.ok for one in known), len(proposal.guards) - len(known)
    words += f", {against} against it for now" if against else ""
    return words + (f", {unknown} not known" if unknown else "")


def _diff_style(text: str) -> str:
    return {"+": "green", "-": "red", "@": "cyan"}.get(text[:1], "")


def timeline(incident: Incident) -> tuple[Line, ...]:
    """Return everything that happened, each with its time in UTC."""
    lines: list[Line] = []
    for entry in incident.history:
        first, *rest = told(entry.event)
        head = Line(
            text=f"{clock(entry.event.at)}  {'  ' * first.depth}{first.text}", style=first.style
        )
        lines += [
            head,
            *(Line(text=one.text, depth=one.depth + 5, style=one.style) for one in rest),
        ]
    return tuple(lines)


def state(incident: Incident) -> str:
    """Return where the incident stands, in the words that set recovered and verified apart."""
    match incident.outcome:
        case ev.Mitigated(forecast=ahead) if ahead is not None and ahead.next_kill_at is not None:
            return f"mitigated, next kill at {clock(ahead.next_kill_at)}"
        case _:
            return str(incident.phase)


def stage_rows(found: Stages) -> tuple[tuple[str, str], ...]:
    """Return the stages of the time to recovery, for a table."""
    rows = (
        ("detect", found.detect_seconds),
        ("investigate", found.investigate_seconds),
        ("approval", found.approval_seconds),
        ("act", found.act_seconds),
        ("recover", found.recover_seconds),
        ("MTTR", found.mttr_seconds),
    )
    return tuple((name, "-" if value is None else f"{value:.1f} s") for name, value in rows)


def stage_lines(incident: Incident) -> tuple[Line, ...]:
    """Return the time to recovery by stage, beside what it takes by hand."""
    lines = [
        Line(text=f"{name:<12} {value:>9}", depth=1) for name, value in stage_rows(stages(incident))
    ]
    return (Line(text=f"time to recovery by stage ({MANUAL})", style="bold"), *lines)


def short(digest: str) -> str:
    """Return a digest as people may type it."""
    return digest.removeprefix("sha256:")[:8]
